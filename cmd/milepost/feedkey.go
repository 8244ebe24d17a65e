package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"milepost/internal/app"
	"milepost/internal/operate"
	"milepost/internal/store"
)

type feedKeyCmd struct {
	Location string `arg:"" help:"Id of the HighLevel location."`
	Contact  string `xor:"what" placeholder:"ID" help:"Only records of this HighLevel contact."`
	User     string `xor:"what" placeholder:"ID" help:"Only records assigned to this HighLevel user."`
	List     bool   `xor:"what" help:"List the keys instead of creating one. Only their ids are stored, not the keys."`
	asJSON
	consent
	Force      bool   `help:"Create the key even if HighLevel does not find the contact or user."`
	Revoke     string `xor:"what" placeholder:"ID" help:"Revoke a key now: the id that --list shows, or all."`
	app.Config `embed:"" group:"Settings"`
}

// Run makes a key and prints the URL to subscribe to, or lists or revokes keys.
func (c *feedKeyCmd) Run(ctx context.Context) error { return c.run(ctx, os.Stdout) }

func (c *feedKeyCmd) run(ctx context.Context, out io.Writer) error {
	if c.DryRun && c.Revoke == "" {
		return usageError("--dry-run goes with --revoke")
	}
	return withState(ctx, c.Config, func(state *app.State) error {
		desk := deskOf(state)
		if err := desk.KnowsLocation(ctx, c.Location, c.HighLevelLocationID); err != nil {
			return err
		}
		switch {
		case c.List:
			keys, err := state.Store.FeedKeys(ctx, c.Location)
			if err != nil {
				return err
			}
			return listFeedKeys(out, c.asJSON, c.Location, keys)
		case c.Revoke != "":
			return c.revoke(ctx, desk, out)
		}
		feed := store.Feed{LocationID: c.Location, ContactID: c.Contact, AssignedTo: c.User}
		link, err := desk.NewFeedLink(ctx, byCommand, feed, c.Force)
		if err != nil && !c.Force && (c.Contact != "" || c.User != "") {
			return fmt.Errorf("%w\nno key was created; to create it anyway, add --force", err)
		}
		if err != nil {
			return err
		}
		made := newURL{URL: link, Location: c.Location, Contact: c.Contact, User: c.User}
		if err := printURL(out, c.asJSON, "Calendar of "+feedOwner(feed)+" of location "+c.Location, made, state.Connections.Address()); err != nil || c.JSON {
			return err
		}
		fmt.Fprintln(out, "docs/feed.md says how to subscribe. Anyone who knows this URL can read the names, dates and notes in it.")
		return nil
	})
}

// revoke asks, and revokes keys.
func (c *feedKeyCmd) revoke(ctx context.Context, desk *operate.Desk, out io.Writer) error {
	keys, err := desk.FeedLinks(ctx, c.Location, c.Revoke)
	if err != nil {
		return revoked(out, c.asJSON, 0, err, "")
	}
	if goOn, err := c.ask(c.prose(out), fmt.Sprintf("%d feed keys of location %s would stop working now.", len(keys), c.Location), "Calendars that subscribe to these URLs would get no more changes. Nobody would get mail."); err != nil || !goOn {
		return err
	}
	n, err := desk.EndFeedLinks(ctx, byCommand, c.Location, c.Revoke)
	return revoked(out, c.asJSON, n, err, "requests for these calendars get 404")
}

// feedOwner names the records that a feed shows.
func feedOwner(f store.Feed) string {
	switch {
	case f.ContactID != "":
		return "contact " + f.ContactID
	case f.AssignedTo != "":
		return "user " + f.AssignedTo
	}
	return "everything"
}

func listFeedKeys(out io.Writer, as asJSON, location string, keys []store.FeedKey) error {
	if len(keys) == 0 && !as.JSON {
		fmt.Fprintf(out, "location %s has no feed keys; `milepost feed-key %s` creates one\n", location, location)
		return nil
	}
	type row struct {
		ID        string    `json:"id"`
		CreatedAt time.Time `json:"created_at"`
		Contact   string    `json:"contact,omitempty"`
		User      string    `json:"user,omitempty"`
		shows     string
	}
	rows := make([]row, len(keys))
	for i, k := range keys {
		rows[i] = row{operate.KeyID(k.Digest), k.CreatedAt.UTC(), k.Feed.ContactID, k.Feed.AssignedTo, feedOwner(k.Feed)}
	}
	return printList(out, as, rows,
		column[row]{"ID", func(r row) string { return r.ID }},
		column[row]{"MADE", func(r row) string { return r.CreatedAt.Format(time.RFC3339) }},
		column[row]{"SHOWS", func(r row) string { return r.shows }},
	)
}
