package adminapi

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"milepost/clients/calendarhero"
	"milepost/internal/connection"
	"milepost/internal/operate"
	"milepost/internal/store"
)

// Checked is what a check of a connection found.
type Checked struct {
	OK    bool                `json:"ok" doc:"Nothing failed."`
	Lines []operate.CheckLine `json:"lines" nullable:"false" doc:"What was tried, in order."`
}

// Webhook says who receives an event of a CalendarHero account.
type Webhook struct {
	Event     string    `json:"event"`
	State     string    `json:"state" doc:"Empty: not checked yet."`
	Problem   string    `json:"problem,omitempty" doc:"What is wrong, and what to do."`
	CheckedAt time.Time `json:"checked_at,omitzero"`
	SetAt     time.Time `json:"registered_at,omitzero" doc:"When Milepost registered it last."`
	SeenAt    time.Time `json:"seen_at,omitzero" doc:"When Milepost's was last read at CalendarHero."`
}

func showWebhook(h store.Hook) Webhook {
	return Webhook{h.Event, string(h.State), h.Problem, utc(h.CheckedAt), utc(h.SetAt), utc(h.SeenAt)}
}

// Webhooks are those of a CalendarHero account.
type Webhooks struct {
	Items []Webhook `json:"items" nullable:"false"`
}

type takeWebhooks struct {
	OneLocation
	Body struct {
		Event   string `json:"event,omitempty" maxLength:"100" doc:"Only this event. Without it, all."`
		Replace bool   `json:"replace,omitempty" doc:"Replace another tool's. Without it, nothing is changed if there is one (409)."`
	}
}

type releaseWebhooks struct {
	OneLocation
	Anyway bool `query:"anyway" doc:"Also delete those of which CalendarHero does not say who receives them."`
}

// checkTime bounds a check of a connection.
const checkTime = time.Minute

func (a *API) webhooks() {
	const tag, hooks = "connections", "/connections/{location}/webhooks"
	post(a, http.MethodPost, endpoint{
		id: "check-connection", path: "/connections/{location}/check", tag: tag, summary: "Try what Milepost needs of both vendors", about: "It changes nothing.",
	}, func(ctx context.Context, in *OneLocation) (out Checked, err error) {
		ctx, cancel := context.WithTimeout(ctx, checkTime)
		defer cancel()
		out.Lines = []operate.CheckLine{}
		check := &operate.Check{Say: func(line operate.CheckLine) { out.Lines = append(out.Lines, line) }}
		a.Desk.CheckLocation(ctx, check, in.Location)
		out.OK = !check.Failed
		return out, nil
	})
	get(a, endpoint{id: "list-webhooks", path: hooks, tag: tag, summary: "Who receives the events of the location's CalendarHero account"},
		func(ctx context.Context, in *OneLocation) (out Webhooks, err error) {
			c, ok, err := a.Desk.Connection(ctx, in.Location)
			switch {
			case err == nil && !ok:
				err = operate.ErrUnknown
			case err == nil && c.Account == nil:
				err = &connection.NotConnected{Why: "the location is not active, or has no CalendarHero account"}
			case err == nil:
				out.Items = each(c.Account.Hooks, showWebhook)
			}
			return out, err
		})
	post(a, http.MethodPost, endpoint{id: "take-webhooks", path: hooks, tag: tag, summary: "Register Milepost's webhooks at CalendarHero"},
		func(ctx context.Context, in *takeWebhooks) (out Webhooks, err error) {
			events := calendarhero.Events
			if in.Body.Event != "" {
				if !slices.Contains(events, in.Body.Event) {
					return out, huma.Error422UnprocessableEntity("CalendarHero has no such event", &huma.ErrorDetail{Message: "it is none of " + strings.Join(events, ", "), Location: "body.event"})
				}
				events = []string{in.Body.Event}
			}
			list, _, err := a.Desk.TakeHooks(ctx, who(ctx), in.Location, events, in.Body.Replace)
			out.Items = each(list, showWebhook)
			return out, err
		})
	post(a, http.MethodDelete, endpoint{
		id: "release-webhooks", path: hooks, tag: tag, summary: "Delete Milepost's webhooks at CalendarHero", about: "Milepost registers none until it is told to, and polls in place of them.",
	}, func(ctx context.Context, in *releaseWebhooks) (out Webhooks, err error) {
		list, _, err := a.Desk.ReleaseHooks(ctx, who(ctx), in.Location, in.Anyway)
		out.Items = each(list, showWebhook)
		return out, err
	})
}

// Link is a calendar or workflow link, without the link itself.
type Link struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind" enum:"calendar,workflow"`
	Contact   string    `json:"contact,omitempty" doc:"The calendar shows only what is for this contact."`
	User      string    `json:"user,omitempty" doc:"The calendar shows only what is assigned to this user."`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// NewLink is a link that was just made.
type NewLink struct {
	URL string `json:"url" doc:"Nothing shows it again. Anyone who knows it can use it."`
}

type linksQuery struct {
	OneLocation
	Paging
}

type newLink struct {
	OneLocation
	Body struct {
		Kind    string    `json:"kind" enum:"calendar,workflow"`
		Contact string    `json:"contact,omitempty" maxLength:"200" doc:"Of a calendar: show only what is for this contact."`
		User    string    `json:"user,omitempty" maxLength:"200" doc:"Of a calendar: show only what is assigned to this user."`
		Others  time.Time `json:"others_until,omitzero" doc:"Of a workflow link: the location's other links stop working then."`
	}
}

type oneLink struct {
	OneLocation
	Kind string `path:"kind" enum:"calendar,workflow"`
	ID   string `path:"id" minLength:"8" maxLength:"64"`
}

func (a *API) links() {
	const tag, all, one = "connections", "/connections/{location}/links", "/connections/{location}/links/{kind}/{id}"
	get(a, endpoint{id: "list-links", path: all, tag: tag, summary: "The calendar and workflow links of a location"},
		func(ctx context.Context, in *linksQuery) (out Page[Link], err error) {
			list, err := a.linksOf(ctx, in.Location)
			if err != nil {
				return out, err
			}
			return pageOf(in.Paging, list, func(l Link) string { return l.Kind + l.ID }, func(l Link) Link { return l })
		})
	post(a, http.MethodPost, endpoint{id: "create-link", path: all, tag: tag, summary: "Create a calendar or workflow link"},
		func(ctx context.Context, in *newLink) (out NewLink, err error) {
			ctx, cancel := context.WithTimeout(ctx, vendorsAnswer)
			defer cancel()
			switch calendar := in.Body.Kind == "calendar"; {
			case in.Body.Contact != "" && in.Body.User != "", !calendar && cmp.Or(in.Body.Contact, in.Body.User) != "", calendar && !in.Body.Others.IsZero():
				return out, huma.Error422UnprocessableEntity("a calendar is of a contact, of a user or of all; others_until is of a workflow link")
			case calendar:
				out.URL, err = a.Desk.NewFeedLink(ctx, who(ctx), store.Feed{LocationID: in.Location, ContactID: in.Body.Contact, AssignedTo: in.Body.User}, false)
			default:
				out.URL, err = a.Desk.NewWorkflowLink(ctx, who(ctx), in.Location, in.Body.Others)
			}
			return out, err
		})
	post(a, http.MethodPost, endpoint{id: "rotate-link", path: one + "/rotate", tag: tag, summary: "Replace a calendar link by a new one", about: "The old one stops working. To rotate a workflow link, create one with others_until."},
		func(ctx context.Context, in *oneLink) (out NewLink, err error) {
			if in.Kind != "calendar" {
				return out, huma.Error422UnprocessableEntity("to rotate a workflow link, create one with others_until")
			}
			out.URL, err = a.Desk.RotateFeedLink(ctx, who(ctx), in.Location, in.ID)
			return out, err
		})
	act(a, http.MethodDelete, endpoint{id: "end-link", path: one, tag: tag, summary: "End a link"},
		func(ctx context.Context, in *oneLink) (err error) {
			if in.Kind == "calendar" {
				_, err = a.Desk.EndFeedLinks(ctx, who(ctx), in.Location, in.ID)
			} else {
				_, err = a.Desk.EndWorkflowLinks(ctx, who(ctx), in.Location, in.ID)
			}
			return err
		})
}

func (a *API) linksOf(ctx context.Context, locationID string) (list []Link, err error) {
	if _, ok, err := a.Desk.Store.Connection(ctx, locationID); err != nil || !ok {
		return nil, cmp.Or(err, operate.ErrUnknown)
	}
	feeds, err := a.Desk.Store.FeedKeys(ctx, locationID)
	if err != nil {
		return nil, err
	}
	for _, k := range feeds {
		list = append(list, Link{ID: operate.KeyID(k.Digest), Kind: "calendar", Contact: k.Feed.ContactID, User: k.Feed.AssignedTo, CreatedAt: k.CreatedAt.UTC()})
	}
	workflows, err := a.Desk.Store.WorkflowKeys(ctx, locationID)
	for _, k := range workflows {
		list = append(list, Link{ID: operate.KeyID(k.Digest), Kind: "workflow", CreatedAt: k.CreatedAt.UTC(), ExpiresAt: utc(k.ExpiresAt)})
	}
	return list, err
}
