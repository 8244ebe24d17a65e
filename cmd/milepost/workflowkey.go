package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"milepost/internal/app"
	"milepost/internal/operate"
	"milepost/internal/store"
)

type workflowKeyCmd struct {
	Location string         `arg:"" help:"Id of the HighLevel location."`
	Rotate   bool           `xor:"what" help:"Create a key, and let the existing ones expire after --overlap."`
	Overlap  *time.Duration `placeholder:"TIME" help:"How long the older keys stay valid with --rotate, 168h by default; 0s revokes them now."`
	List     bool           `xor:"what" help:"List the keys instead of creating one. Only their ids are stored, not the keys."`
	asJSON
	consent
	Revoke     string `xor:"what" placeholder:"ID" help:"Revoke a key now: the id that --list shows, or all."`
	app.Config `embed:"" group:"Settings"`
}

// Run makes a key and prints the URL to paste, or lists or revokes keys.
func (c *workflowKeyCmd) Run(ctx context.Context) error { return c.run(ctx, os.Stdout, time.Now()) }

func (c *workflowKeyCmd) run(ctx context.Context, out io.Writer, now time.Time) error {
	overlap := 7 * 24 * time.Hour
	if c.Overlap != nil {
		overlap = *c.Overlap
	}
	switch {
	case overlap < 0:
		return usageError("--overlap must not be negative")
	case c.Overlap != nil && !c.Rotate:
		return usageError("--overlap goes with --rotate")
	}
	if c.DryRun && c.Revoke == "" {
		return usageError("--dry-run goes with --revoke")
	}
	return withState(ctx, c.Config, func(state *app.State) error {
		desk := deskOf(state)
		if err := desk.KnowsLocation(ctx, c.Location, c.HighLevelLocationID); err != nil {
			return err
		}
		keys, err := state.Store.WorkflowKeys(ctx, c.Location)
		switch {
		case err != nil:
			return err
		case c.List:
			return listWorkflowKeys(out, c.asJSON, c.Location, keys, now)
		case c.Revoke != "":
			return c.revoke(ctx, desk, out)
		}
		var until time.Time
		if c.Rotate {
			until = now.Add(overlap)
		}
		link, err := desk.NewWorkflowLink(ctx, byCommand, c.Location, until)
		if err != nil {
			return err
		}
		made := newURL{URL: link, Location: c.Location, OlderUntil: moment(until)}
		if err := printURL(out, c.asJSON, "URL for the Webhook actions of location "+c.Location, made, state.Connections.Address()); err != nil || c.JSON {
			return err
		}
		fmt.Fprintln(out, "docs/workflows.md says what else to paste. Anyone who knows this URL can send webhooks for the location.")
		if n := len(valid(keys, now)); n > 0 && c.Rotate {
			fmt.Fprintf(out, "The older keys stay valid until %s at the latest. Replace their URLs by then.\n", until.UTC().Format(time.RFC3339))
		} else if n > 0 {
			fmt.Fprintf(out, "%d older keys stay valid; --rotate lets them expire.\n", n)
		}
		return nil
	})
}

// revoke asks, and revokes keys.
func (c *workflowKeyCmd) revoke(ctx context.Context, desk *operate.Desk, out io.Writer) error {
	ending, err := desk.WorkflowLinks(ctx, c.Location, c.Revoke)
	if err != nil {
		return revoked(out, c.asJSON, 0, err, "")
	}
	if goOn, err := c.ask(c.prose(out), fmt.Sprintf("%d workflow keys of location %s would stop working now.", len(ending), c.Location), "Milepost would reject the webhooks that workflows send to these URLs, and what they ask for would not happen. Nobody would get mail."); err != nil || !goOn {
		return err
	}
	n, err := desk.EndWorkflowLinks(ctx, byCommand, c.Location, c.Revoke)
	return revoked(out, c.asJSON, n, err, "Milepost rejects webhooks to these URLs")
}

func listWorkflowKeys(out io.Writer, as asJSON, location string, keys []store.WorkflowKey, now time.Time) error {
	if len(keys) == 0 && !as.JSON {
		fmt.Fprintf(out, "location %s has no workflow keys; `milepost workflow-key %s` creates one\n", location, location)
		return nil
	}
	type row struct {
		ID        string     `json:"id"`
		CreatedAt time.Time  `json:"created_at"`
		ExpiresAt *time.Time `json:"expires_at"` // null if it is valid until it is revoked
		Expired   bool       `json:"expired"`
	}
	rows := make([]row, len(keys))
	for i, k := range keys {
		rows[i] = row{operate.KeyID(k.Digest), k.CreatedAt.UTC(), moment(k.ExpiresAt), !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(now)}
	}
	return printList(out, as, rows,
		column[row]{"ID", func(r row) string { return r.ID }},
		column[row]{"MADE", func(r row) string { return r.CreatedAt.Format(time.RFC3339) }},
		column[row]{"VALID", func(r row) string {
			switch {
			case r.ExpiresAt == nil:
				return "until revoked"
			case r.Expired:
				return "expired " + r.ExpiresAt.Format(time.RFC3339)
			}
			return "until " + r.ExpiresAt.Format(time.RFC3339)
		}},
	)
}

// revoked says how many keys were revoked, and what that means.
func revoked(out io.Writer, as asJSON, n int64, err error, means string) error {
	if _, ok := errors.AsType[*operate.NoKey](err); ok {
		return fmt.Errorf("%w; --list shows the ids", err)
	}
	if err == nil && as.JSON {
		return printJSON(out, map[string]int64{"revoked": n})
	}
	if err == nil {
		fmt.Fprintf(out, "%d revoked: %s from now on\n", n, means)
	}
	return err
}

// newURL is a URL with a key in it, for programs.
type newURL struct {
	URL        string     `json:"url"`
	Location   string     `json:"location"`
	Contact    string     `json:"contact,omitempty"`
	User       string     `json:"user,omitempty"`
	OlderUntil *time.Time `json:"older_valid_until,omitempty"` // the older keys, with --rotate
}

// printURL shows a URL with a key in it, which is kept nowhere.
func printURL(out io.Writer, as asJSON, what string, made newURL, publicURL string) (err error) {
	if as.JSON {
		err = printJSON(out, made)
	} else {
		_, err = fmt.Fprintf(out, "%s, shown this once:\n\n  %s\n\n", what, made.URL)
	}
	if err != nil {
		return fmt.Errorf("the key was created but could not be shown; --list shows its id, --revoke ends it: %w", err)
	}
	if publicURL == "" {
		fmt.Fprintln(as.prose(out), "Replace YOUR-HOST by your own host, or set MILEPOST_PUBLIC_URL.")
	}
	return nil
}

// valid are the keys that still let something in.
func valid(keys []store.WorkflowKey, now time.Time) (still []store.WorkflowKey) {
	for _, k := range keys {
		if k.ExpiresAt.IsZero() || k.ExpiresAt.After(now) {
			still = append(still, k)
		}
	}
	return still
}
