package adminapi

import (
	"context"
	"net/http"
	"time"

	"milepost/internal/automation"
	"milepost/internal/operate"
	"milepost/internal/store"
)

// Contact is a contact of HighLevel, as Milepost last read it.
type Contact struct {
	Location  string    `json:"location"`
	ID        string    `json:"id"`
	Name      string    `json:"name,omitempty"`
	Email     string    `json:"email,omitempty"`
	Phone     string    `json:"phone,omitempty"`
	ChangedAt time.Time `json:"changed_at,omitzero" doc:"When one of these was last another."`
}

func showContact(m operate.Mask, c store.Contact) Contact {
	return Contact{c.LocationID, c.ID, m.Person(c.Name), m.Email(c.Email), m.Phone(c.Phone), utc(c.ChangedAt)}
}

// utc leaves no time as it is.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

// Record is a record of HighLevel, or what a webhook is about otherwise.
type Record struct {
	Location string `json:"location"`
	Kind     string `json:"kind" doc:"contact, task, note, appointment, opportunity, meeting, workflow, …; empty if the webhook is about no record."`
	ID       string `json:"id"`
}

func showRecord(e store.Entity) Record { return Record{e.LocationID, e.Kind, e.ID} }

// Delivery is one accepted webhook.
type Delivery struct {
	ID          int64     `json:"id"`
	WebhookID   string    `json:"webhook_id,omitempty"`
	Type        string    `json:"type"`
	Record      Record    `json:"record"`
	Contact     *Contact  `json:"contact,omitempty" doc:"Whose record it is, if that is known. A contact that was never read has only its id."`
	ReceivedAt  time.Time `json:"received_at"`
	FinishedAt  time.Time `json:"finished_at,omitzero" doc:"Missing while the record is not synced yet."`
	Outcome     string    `json:"outcome"`
	OutcomeName string    `json:"outcome_name" doc:"The outcome in words."`
	Detail      string    `json:"detail,omitempty"`
}

func showDelivery(m operate.Mask, d store.Delivery, c store.Contact) Delivery {
	out := Delivery{
		ID: d.ID, WebhookID: d.WebhookID, Type: d.Type, Record: showRecord(d.Entity), ReceivedAt: d.ReceivedAt.UTC(), FinishedAt: utc(d.FinishedAt),
		Outcome: d.Outcome, OutcomeName: operate.OutcomeName(d.Outcome), Detail: m.Text(d.Detail),
	}
	if c.ID != "" {
		contact := showContact(m, c)
		out.Contact = &contact
	}
	return out
}

// FoundDeliveries is a page of deliveries.
type FoundDeliveries struct {
	Page[Delivery]
	About  []Contact `json:"about,omitempty" nullable:"false" doc:"The contacts that q found, whose deliveries these are."`
	More   bool      `json:"more_contacts,omitempty" doc:"More contacts match q."`
	NoSuch bool      `json:"no_such,omitempty" doc:"Nothing is known by q."`
}

type deliveriesQuery struct {
	Paging
	Showing
	Text     string    `query:"q" maxLength:"200" doc:"The id of a delivery, webhook or record, or the beginning of a contact's name, e-mail address or telephone number."`
	Outcome  string    `query:"outcome" enum:"open,failed,done,unchanged,skipped,gone,pending,waiting,retry,auth,invalid,conflict,unclear,stopped" doc:"open: not synced yet. failed: somebody has to look."`
	Type     string    `query:"type" doc:"The type of the webhook, such as ContactUpdate."`
	Location string    `query:"location" doc:"The id of a location."`
	Contact  string    `query:"contact" doc:"The id of a contact: deliveries about it and its records."`
	Auto     string    `query:"automation" doc:"The id of an automation."`
	Since    time.Time `query:"since"`
	Until    time.Time `query:"until"`
}

// DeliveryDetail is all that is known of a delivery.
type DeliveryDetail struct {
	Delivery
	Means       string          `json:"means,omitempty" doc:"What the outcome means."`
	Next        []string        `json:"next" nullable:"false" doc:"What a person can do."`
	Automations []Considered    `json:"automations" nullable:"false" doc:"What each automation made of the record."`
	More        int             `json:"more_automations,omitempty" doc:"Automations that were considered as well."`
	Body        string          `json:"body,omitempty" doc:"As it came, indented if it is JSON."`
	BodyGone    string          `json:"body_gone,omitempty" doc:"Why there is no body."`
	BodyCut     bool            `json:"body_cut,omitempty" doc:"The body is longer."`
	Waits       []Wait          `json:"waits" nullable:"false"`
	Timeline    []TimelineEntry `json:"timeline" nullable:"false" doc:"What its sync did, oldest first."`
	Items       []Made          `json:"items" nullable:"false" doc:"What exists, or existed, for the record."`
	Calls       []Call          `json:"calls" nullable:"false" doc:"The calls of its sync and of the last tries that failed or waited, in their order. A call that several records of a contact share is at one of them."`
	MoreCalls   int             `json:"more_calls,omitempty" doc:"Calls that were made as well."`
	Mailed      []Mailed        `json:"mailed" nullable:"false" doc:"Who was mailed."`
	Together    int64           `json:"together,omitempty" doc:"Other deliveries that the same sync settled."`
	AskedSince  bool            `json:"asked_since,omitempty" doc:"The record was synced or asked for again since."`
	Replayable  bool            `json:"replayable"`
}

// Considered says what an automation made of a record.
type Considered struct {
	Automation string `json:"automation"`
	Version    int64  `json:"version,omitempty"`
	Meeting    string `json:"meeting,omitempty" doc:"The id of the meeting that it was looked at for."`
	Items      int    `json:"items" doc:"How many items it asked for."`
	Reason     string `json:"reason,omitempty" doc:"Why it asked for nothing, or not for all."`
	Condition  string `json:"condition,omitempty" doc:"The condition that was not met."`
	Saw        string `json:"saw,omitempty" doc:"The values that the condition saw."`
	Left       bool   `json:"left,omitempty" doc:"The automation is not on, and what it made was left as it is."`

	Conditions []automation.Condition `json:"conditions,omitempty" nullable:"false" doc:"All parts of its condition."`
}

// Call is a call to HighLevel or CalendarHero.
type Call struct {
	API       string    `json:"api"`
	Operation string    `json:"operation"`
	Method    string    `json:"method"`
	Path      string    `json:"path"`
	Writes    bool      `json:"writes"`
	Began     time.Time `json:"began"`
	Took      int64     `json:"took_ms" doc:"With its retries and waits."`
	Queued    int64     `json:"queued_ms,omitempty" doc:"Of it, waiting for a turn under the rate limit."`
	Status    int       `json:"status,omitempty" doc:"Missing if no answer came."`
	Request   string    `json:"request,omitempty" doc:"Without secrets, and shortened. Not kept of a sync that changed nothing."`
	Answer    string    `json:"answer,omitempty" doc:"As the request. Not kept of lists."`
	Cut       bool      `json:"cut,omitempty" doc:"Not all of both is kept."`
	Failed    string    `json:"failed,omitempty"`
}

// Mailed says whom a vendor mailed.
type Mailed struct {
	To   string `json:"to"`
	What string `json:"what" enum:"invitation,cancellation,message"`
}

// Wait is a time in which the sync of a record had to wait.
type Wait struct {
	Outcome string    `json:"outcome"`
	Detail  string    `json:"detail,omitempty"`
	Began   time.Time `json:"began"`
	Until   time.Time `json:"until,omitzero"`
	Tries   int64     `json:"tries"`
}

// TimelineEntry is one thing that happened to a contact.
type TimelineEntry struct {
	ID     int64     `json:"id"`
	At     time.Time `json:"at"`
	Record Record    `json:"record"`
	What   string    `json:"what"`
	Detail string    `json:"detail,omitempty"`
}

// Made is something that exists in CalendarHero or HighLevel because of a record.
type Made struct {
	Kind       string    `json:"kind"`
	Automation string    `json:"automation,omitempty"`
	State      string    `json:"state"`
	Object     string    `json:"object,omitempty" doc:"Its id there."`
	Title      string    `json:"title,omitempty"`
	Start      time.Time `json:"start,omitzero"`
	End        time.Time `json:"end,omitzero"`
	Left       string    `json:"left,omitempty" doc:"Why it stays though its record is gone."`
}

func showTimeline(m operate.Mask, list []store.TimelineEntry) []TimelineEntry {
	return each(list, func(e store.TimelineEntry) TimelineEntry {
		return TimelineEntry{e.ID, e.At.UTC(), showRecord(e.Entity), e.What, m.Text(e.Detail)}
	})
}

func showItems(m operate.Mask, list []store.Link) []Made {
	return each(list, func(l store.Link) Made {
		return Made{l.ItemKind, l.Automation, string(l.State), l.ObjectID, m.Text(l.Title), utc(l.Start), utc(l.End), l.Left}
	})
}

// OneDelivery is the part of a request that names a delivery.
type OneDelivery struct {
	ID int64 `path:"id" minimum:"1"`
}

type deliveryQuery struct {
	OneDelivery
	Showing
}

type replayRequest struct {
	OneDelivery
	Body struct {
		DryRun bool `json:"dry_run" doc:"Say what would change, and change nothing."`
	}
}

// Replayed says what a replay would change, or that it was asked for.
type Replayed struct {
	Changes []string `json:"changes,omitempty" nullable:"false" doc:"Of a dry run: what would change, whom it mails included. Empty if everything is as it should be."`
	DryRun  bool     `json:"dry_run"`
	Queued  bool     `json:"queued" doc:"The record is in the queue."`
}

func (a *API) deliveries() {
	const tag = "deliveries"
	get(a, endpoint{
		id: "list-deliveries", path: "/deliveries", tag: tag, summary: "List or search deliveries, newest first",
		about: "A search looks at some deliveries at a time, so a page may be empty and still have a next one.",
	}, a.listDeliveries)
	get(a, endpoint{
		id: "get-delivery", path: "/deliveries/{id}", tag: tag, summary: "Explain one delivery",
		about: "Its body, what each automation made of it, what its sync did, and what a person can do.",
	}, a.getDelivery)
	post(a, http.MethodPost, endpoint{
		id: "replay-delivery", path: "/deliveries/{id}/replay", tag: tag, summary: "Replay a delivery, or say what that would change",
		about: "A replay syncs the record as it is now. A dry run reads the record from HighLevel, and sends nothing.",
	}, a.replay)
}

func (a *API) listDeliveries(ctx context.Context, in *deliveriesQuery) (out FoundDeliveries, err error) {
	q := Filter{in.Text, in.Outcome, in.Type, in.Location, in.Contact, in.Auto, in.Since, in.Until}.query()
	q.Limit = in.Limit
	if q.Before, err = in.before(); err != nil {
		return out, err
	}
	m, err := a.mask(ctx, in.Showing)
	if err != nil {
		return out, err
	}
	found, err := a.Desk.Deliveries(ctx, q)
	if err != nil {
		return out, err
	}
	contacts, err := a.Desk.ContactsOf(ctx, found.List)
	if err != nil {
		return out, err
	}
	list := make([]Delivery, len(found.List))
	for i, d := range found.List {
		list[i] = showDelivery(m, d, contacts[i])
	}
	out = FoundDeliveries{Page: older(list, found.Next), More: found.More, NoSuch: found.NoSuch}
	out.About = each(found.About, func(c store.Contact) Contact { return showContact(m, c) })
	return out, nil
}

func (a *API) getDelivery(ctx context.Context, in *deliveryQuery) (out DeliveryDetail, err error) {
	m, err := a.mask(ctx, in.Showing)
	if err != nil {
		return out, err
	}
	d, ok, err := a.Desk.Delivery(ctx, in.ID)
	switch {
	case err != nil:
		return out, err
	case !ok:
		return out, operate.ErrUnknown
	}
	why, err := a.Desk.Automations.ExplainDelivery(ctx, d.Delivery)
	if err != nil {
		return out, err
	}
	return showDetail(m, d, why), nil
}

func showDetail(m operate.Mask, d operate.Delivery, why *automation.Explanation) DeliveryDetail {
	contact := store.Contact{LocationID: d.Entity.LocationID, ID: d.ContactID}
	if d.Contact != nil {
		contact = *d.Contact
	}
	out := DeliveryDetail{
		Delivery: showDelivery(m, d.Delivery, contact), Means: operate.OutcomeMeans(d.Outcome), Next: why.Next, More: why.More,
		Body: d.Body, BodyGone: d.BodyGone, BodyCut: d.Cut, Together: d.Together, AskedSince: d.AskedSince(), Replayable: d.Replayable(),
		Timeline: showTimeline(m, d.Timeline), Items: showItems(m, d.Links),
	}
	if !m.Shown && d.Body != "" {
		out.Body, out.BodyGone, out.BodyCut = "", "It is hidden from viewers, because it may hold personal data.", false
	}
	out.Automations = each(why.Considered, func(c store.Considered) Considered {
		return Considered{c.Automation, c.Version, c.Meeting, c.Wants, m.Text(c.Reason), c.Condition, m.Text(c.Saw), c.Left, each(c.Conditions, func(p store.Condition) automation.Condition {
			return automation.Condition{Text: p.Text, Saw: m.Text(p.Saw), Held: p.Held}
		})}
	})
	out.MoreCalls = d.Made.More
	out.Calls = each(d.Made.Calls, func(c store.SyncCall) Call {
		return Call{c.API, c.Operation, c.Method, c.Path, c.Writes, c.Began, c.Took.Milliseconds(), c.Queued.Milliseconds(), c.Status, m.Text(c.Request), m.Text(c.Answer), c.Cut, m.Text(c.Failed)}
	})
	out.Mailed = each(d.Made.Mailed, func(w store.Mailed) Mailed { return Mailed{m.Email(w.To), w.What} })
	out.Waits = each(d.Waits, func(w store.Wait) Wait {
		return Wait{w.Outcome, m.Text(w.Detail), w.Began.UTC(), utc(w.Until), w.Tries}
	})
	return out
}

func (a *API) replay(ctx context.Context, in *replayRequest) (out Replayed, err error) {
	if !in.Body.DryRun {
		return Replayed{Queued: true}, a.Desk.Replay(ctx, who(ctx), in.ID)
	}
	ctx, cancel := context.WithTimeout(ctx, vendorsAnswer)
	defer cancel()
	out.DryRun = true
	out.Changes, err = a.Desk.ReplayPreview(ctx, in.ID)
	return out, err
}
