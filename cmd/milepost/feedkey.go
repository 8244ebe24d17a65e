package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"milepost/handlers"
	"milepost/internal/app"
	"milepost/internal/store"
)

type feedKeyCmd struct {
	Location   string `arg:"" help:"Id of the HighLevel location."`
	Contact    string `xor:"whose" placeholder:"ID" help:"Only what belongs to this HighLevel contact."`
	User       string `xor:"whose" placeholder:"ID" help:"Only what is assigned to this HighLevel user."`
	List       bool   `xor:"what" help:"Show the keys in place of making one; the keys themselves are not kept."`
	Revoke     string `xor:"what" placeholder:"ID" help:"End a key now, by the id that --list shows, or all."`
	app.Config `embed:"" group:"Settings"`
}

// Run makes a key and prints the URL to subscribe to, or lists or revokes keys.
func (c *feedKeyCmd) Run(ctx context.Context) error { return c.run(ctx, os.Stdout) }

func (c *feedKeyCmd) run(ctx context.Context, out io.Writer) error {
	return withState(ctx, c.Config, func(state *app.State) error {
		keys, err := state.Store.FeedKeys(ctx, c.Location)
		switch {
		case err != nil:
			return err
		case c.List:
			return listFeedKeys(out, c.Location, keys)
		case c.Revoke != "":
			digests := make([]string, len(keys))
			for i, k := range keys {
				digests[i] = k.Digest
			}
			return revokeKeys(ctx, out, digests, c.Revoke, state.Store.RevokeFeedKeys, "these calendars are not found")
		}
		feed := store.Feed{LocationID: c.Location, ContactID: c.Contact, AssignedTo: c.User}
		key, err := state.Connections.NewFeedKey(ctx, feed)
		if err != nil {
			return err
		}
		printURL(out, "Calendar of "+whose(feed)+" of location "+c.Location, c.PublicURL, handlers.CalendarPath+key+".ics")
		fmt.Fprintln(out, "How to subscribe is in docs/feed.md. Whoever knows this URL can read names, dates and notes in it.")
		return nil
	})
}

// whose says what a feed shows.
func whose(f store.Feed) string {
	switch {
	case f.ContactID != "":
		return "contact " + f.ContactID
	case f.AssignedTo != "":
		return "user " + f.AssignedTo
	}
	return "everything"
}

func listFeedKeys(out io.Writer, location string, keys []store.FeedKey) error {
	if len(keys) == 0 {
		fmt.Fprintf(out, "location %s has no feed keys; `milepost feed-key %s` makes one\n", location, location)
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tMADE\tSHOWS")
	for _, k := range keys {
		fmt.Fprintf(table, "%s\t%s\t%s\n", k.Digest[:keyIDLength], k.CreatedAt.Format(time.RFC3339), whose(k.Feed))
	}
	return table.Flush()
}
