package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"milepost/handlers"
	"milepost/internal/app"
	"milepost/internal/store"
)

type workflowKeyCmd struct {
	Location   string        `arg:"" help:"Id of the HighLevel location."`
	Rotate     bool          `xor:"what" help:"Let the keys that are there expire after --overlap."`
	Overlap    time.Duration `default:"168h" help:"How long the older keys stay valid with --rotate; 0s ends them now."`
	List       bool          `xor:"what" help:"Show the keys in place of making one; the keys themselves are not kept."`
	Revoke     string        `xor:"what" placeholder:"ID" help:"End a key now, by the id that --list shows, or all."`
	app.Config `embed:"" group:"Settings"`
}

// keyIDLength is how much of a digest names a key for people.
const keyIDLength = 8

// Run makes a key and prints the URL to paste, or lists or revokes keys.
func (c *workflowKeyCmd) Run(ctx context.Context) error { return c.run(ctx, os.Stdout, time.Now()) }

func (c *workflowKeyCmd) run(ctx context.Context, out io.Writer, now time.Time) error {
	if c.Overlap < 0 {
		return errors.New("--overlap must not be negative")
	}
	return withState(ctx, c.Config, func(state *app.State) error {
		keys, err := state.Store.WorkflowKeys(ctx, c.Location)
		switch {
		case err != nil:
			return err
		case c.List:
			return listWorkflowKeys(out, c.Location, keys, now)
		case c.Revoke != "":
			return revokeWorkflowKeys(ctx, out, state, keys, c.Revoke)
		}
		var until time.Time
		if c.Rotate {
			until = now.Add(c.Overlap)
		}
		key, err := state.Connections.NewWorkflowKey(ctx, c.Location, until)
		if err != nil {
			return err
		}
		base := cmp.Or(strings.TrimSuffix(c.PublicURL, "/"), "https://YOUR-HOST")
		fmt.Fprintf(out, "URL for the Webhook actions of location %s, shown this once:\n\n  %s%s%s\n\n", c.Location, base, handlers.WorkflowPath, key)
		if c.PublicURL == "" {
			fmt.Fprintln(out, "Put your own host in; set MILEPOST_PUBLIC_URL to have it printed.")
		}
		fmt.Fprintln(out, "What to paste beside it is in docs/workflows.md. Whoever knows this URL can send webhooks for the location.")
		if n := len(valid(keys, now)); n > 0 && c.Rotate {
			fmt.Fprintf(out, "The keys made before are valid until %s at the latest: replace their URLs by then.\n", until.UTC().Format(time.RFC3339))
		} else if n > 0 {
			fmt.Fprintf(out, "The %d made before stay valid; --rotate lets them expire.\n", n)
		}
		return nil
	})
}

func listWorkflowKeys(out io.Writer, location string, keys []store.WorkflowKey, now time.Time) error {
	if len(keys) == 0 {
		fmt.Fprintf(out, "location %s has no workflow keys; `milepost workflow-key %s` makes one\n", location, location)
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tMADE\tVALID")
	for _, k := range keys {
		validity := "until revoked"
		switch {
		case !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(now):
			validity = "expired " + k.ExpiresAt.Format(time.RFC3339)
		case !k.ExpiresAt.IsZero():
			validity = "until " + k.ExpiresAt.Format(time.RFC3339)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", k.Digest[:keyIDLength], k.CreatedAt.Format(time.RFC3339), validity)
	}
	return table.Flush()
}

func revokeWorkflowKeys(ctx context.Context, out io.Writer, state *app.State, keys []store.WorkflowKey, which string) error {
	var digests []string
	for _, k := range keys {
		if which == "all" || len(which) >= keyIDLength && strings.HasPrefix(k.Digest, strings.ToLower(which)) {
			digests = append(digests, k.Digest)
		}
	}
	if len(digests) == 0 {
		return fmt.Errorf("the location has no key %q; --list shows the ids", which)
	}
	n, err := state.Store.RevokeWorkflowKeys(ctx, digests...)
	if err == nil {
		fmt.Fprintf(out, "%d revoked: webhooks to these URLs are refused from now on\n", n)
	}
	return err
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
