package sandbox

import (
	"bytes"
	"embed"
	"fmt"
	"html"
	"html/template"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"milepost/internal/order"
	"milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/fakehttp"
	"milepost/internal/sandbox/highlevel"
)

//go:embed page.html page.css page.js
var pageFiles embed.FS

var pageTemplate = sync.OnceValue(func() *template.Template { return template.Must(template.ParseFS(pageFiles, "page.html")) })

// page serves the two columns and what a person can do in them. Every form
// works without script; the script only keeps the page live.
func (w *World) page() http.Handler {
	router := chi.NewRouter()
	router.Get("/", func(rw http.ResponseWriter, r *http.Request) { w.showPage(rw, http.StatusOK, "") })
	router.Get("/events", w.streamChanges)
	for name, kind := range map[string]string{"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"} {
		content, err := pageFiles.ReadFile(name)
		if err != nil {
			panic(err) // embedded above
		}
		router.Get("/"+name, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", kind)
			rw.Header().Set("Cache-Control", "no-cache")
			rw.Write(content)
		})
	}
	// do registers a form. It answers with the page at the place that changed,
	// or with the page and the reason why nothing did.
	do := func(pattern string, change func(r *http.Request, id string) (anchor string, err error)) {
		router.Post(pattern, func(rw http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(rw, r.Body, fakehttp.BodyLimit)
			if err := r.ParseForm(); err != nil {
				w.showPage(rw, http.StatusBadRequest, "Could not read the form.")
				return
			}
			anchor, err := change(r, chi.URLParam(r, "id"))
			if err != nil {
				w.showPage(rw, http.StatusUnprocessableEntity, err.Error())
				return
			}
			http.Redirect(rw, r, "/#"+anchor, http.StatusSeeOther)
		})
	}
	w.contactForms(do)
	w.requestForms(do)
	guard := http.NewCrossOriginProtection()
	return onlyLoopbackHost(pageHeaders(guard.Handler(router)))
}

// onlyLoopbackHost refuses requests under a foreign name, which a rebound DNS
// name would send.
func onlyLoopbackHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		ip := net.ParseIP(strings.Trim(host, "[]"))
		if host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(rw, "This page answers to localhost only.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(rw, r)
	})
}

func pageHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		header := rw.Header()
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "+
			"img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		next.ServeHTTP(rw, r)
	})
}

// streamChanges sends an event for each change, at most ten a second, and one
// every 15 s for what time alone changes.
func (w *World) streamChanges(rw http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(rw)
	rw.Header().Set("Content-Type", "text/event-stream")
	if _, err := fmt.Fprint(rw, "retry: 1000\n\n"); err != nil || control.Flush() != nil {
		return
	}
	rest := 15 * time.Second
	for {
		left, right := w.HighLevel.Changes().Next(), w.CalendarHero.Changes().Next()
		pulse := time.NewTimer(rest)
		rest = min(2*rest, 15*time.Second)
		select {
		case <-left:
			rest = time.Second // what Milepost says of it comes a moment later
		case <-right:
			rest = time.Second
		case <-pulse.C:
		case <-r.Context().Done():
			pulse.Stop()
			return
		}
		pulse.Stop()
		settle := time.NewTimer(100 * time.Millisecond)
		select {
		case <-settle.C:
		case <-r.Context().Done():
			settle.Stop()
			return
		}
		if _, err := fmt.Fprint(rw, "data: changed\n\n"); err != nil || control.Flush() != nil {
			return
		}
	}
}

type pageView struct {
	Problem      string
	Console      string // address of Milepost's console; "" = there is none
	Location     highlevel.Location
	Zone         string
	Milestones   []string
	Users        []highlevel.User
	Fields       []highlevel.CustomField // beside the milestone's two
	Contacts     []contactView
	Latest       *effectView // what Milepost did last
	Account      calendarhero.User
	Requests     []requestView
	Closed       []requestView
	HeroContacts []calendarhero.Contact
	Mails        []mailView // the newest
	Sent         int        // mails in all
	Webhooks     string     // one line about delivery
}

type contactView struct {
	highlevel.Contact
	Milestone, Date string // Date is YYYY-MM-DD
	DateText        string
	Past            bool // the milestone's day has passed
	Fields          []fieldView
	Tasks           []taskView
	Notes           []noteView
	Effect          effectView
}

// fieldView is the value that a contact has in a custom field.
type fieldView struct {
	highlevel.CustomField
	Value string
}

type taskView struct {
	highlevel.Task
	DueInput, DueText string
	Who               string
	Past              bool // it is overdue
	Effect            effectView
}

type noteView struct {
	highlevel.Note
	Text, When string
	Effect     effectView
}

type requestView struct {
	calendarhero.MeetingRequest
	Month, Day, Weekday string
	Times, Full         string
	StartInput          string
	From                effectView // the record that Milepost keeps it for
}

type mailView struct {
	calendarhero.Mail
	When string
}

// StateText says in words where a request stands.
func (r requestView) StateText() string {
	switch {
	case r.Status == "cancelled":
		return "Cancelled"
	case r.Status == "expired":
		return "Expired unanswered"
	case r.Status == "completed":
		return "Took place"
	case r.State == calendarhero.StateUpcoming && r.Status == "rescheduled":
		return "Booked at another time than requested"
	case r.State == calendarhero.StateUpcoming:
		return "Booked"
	default:
		return "Waiting for an answer"
	}
}

// KindText says in words what a mail was.
func (m mailView) KindText() string {
	return map[calendarhero.MailKind]string{calendarhero.MailInvite: "Invitation", calendarhero.MailCancel: "Cancellation", calendarhero.MailRemind: "Reminder"}[m.Kind]
}

func (w *World) view(problem string) pageView {
	v := pageView{
		Problem: problem, Location: w.Location, Zone: w.TimeZone.String(), Milestones: w.MilestoneField.Options, Users: w.Users,
		Account: w.CalendarHero.User(), HeroContacts: w.CalendarHero.Contacts(), Webhooks: w.webhookLine(),
	}
	for _, f := range w.HighLevel.CustomFields(w.Location.ID) {
		if f.Model == "contact" && f.ID != w.MilestoneField.ID && f.ID != w.DateField.ID {
			v.Fields = append(v.Fields, f)
		}
	}
	if console := w.console.Load(); console != nil {
		v.Console = *console
	}
	now := w.clock()
	live := w.CalendarHero.Requests()
	order.By(live, func(a, b calendarhero.MeetingRequest) int { return a.Start.Compare(b.Start) })
	from := map[string]effectView{} // by request
	effect := func(kind, id, what, anchor string) effectView {
		if w.did == nil {
			return effectView{}
		}
		r := record{kind, id, what}
		e := effectView{Effect: w.did(w.ctx, w.Location.ID, kind, id), What: what, Anchor: anchor}
		if e.Outcome == "" {
			return effectView{}
		}
		e.Effect = w.seen.shown(r, e.Effect)
		e.At = e.At.In(w.TimeZone)
		for _, request := range live {
			if slices.Contains(e.Requests, request.ID) {
				from[request.ID] = e
				if e.Request == "" {
					e.Request = request.ID
				}
			}
		}
		if e.tells() && (v.Latest == nil || e.At.After(v.Latest.At)) {
			v.Latest = &e
		}
		return e
	}
	names := map[string]string{}
	for _, u := range w.Users {
		names[u.ID] = u.Name()
	}
	for _, c := range w.HighLevel.Contacts() {
		if c.LocationID != w.Location.ID {
			continue
		}
		view := contactView{Contact: c}
		view.Milestone, view.Date = w.Milestone(c)
		if day, err := time.Parse(time.DateOnly, view.Date); err == nil {
			view.DateText = day.Format("Monday, January 2, 2006")
			view.Past = view.Date < now.In(w.TimeZone).Format(time.DateOnly)
		}
		for _, f := range v.Fields {
			held := fieldView{CustomField: f}
			if value, ok := c.CustomFields[f.ID]; ok && value != nil {
				held.Value = fmt.Sprint(value)
			}
			view.Fields = append(view.Fields, held)
		}
		view.Effect = effect("contact", c.ID, c.Name(), "contact-"+c.ID)
		for _, t := range w.HighLevel.Tasks(c.ID) {
			due := t.DueDate.In(w.TimeZone)
			view.Tasks = append(view.Tasks, taskView{
				t, due.Format("2006-01-02T15:04"), due.Format("Mon, Jan 2, 3:04 PM"), names[t.AssignedTo],
				!t.DueDate.After(now) && !t.Completed, effect("task", t.ID, "Task: "+t.Title, "contact-"+c.ID),
			})
		}
		for _, n := range w.HighLevel.Notes(c.ID) {
			view.Notes = append(view.Notes, noteView{
				n, plainText(n.Body), n.DateAdded.In(w.TimeZone).Format("Jan 2, 3:04 PM"),
				effect("note", n.ID, "A note about "+c.Name(), "contact-"+c.ID),
			})
		}
		slices.Reverse(view.Notes)
		v.Contacts = append(v.Contacts, view)
	}
	for _, r := range w.seen.removed() {
		effect(r.kind, r.id, r.what, "")
	}
	for _, r := range live {
		view := w.requestView(r)
		view.From = from[r.ID]
		v.Requests = append(v.Requests, view)
	}
	closed := w.CalendarHero.Closed()
	for _, r := range slices.Backward(closed[max(0, len(closed)-50):]) {
		v.Closed = append(v.Closed, w.requestView(r))
	}
	mails := w.CalendarHero.Mails()
	v.Sent = len(mails)
	for _, m := range slices.Backward(mails[max(0, len(mails)-50):]) {
		v.Mails = append(v.Mails, mailView{m, m.At.In(w.TimeZone).Format("Jan 2, 3:04:05 PM")})
	}
	return v
}

func (w *World) requestView(r calendarhero.MeetingRequest) requestView {
	start, end := r.Start.In(w.TimeZone), r.End.In(w.TimeZone)
	times := start.Format("3:04 PM") + " – " + end.Format("3:04 PM MST")
	if start.Format(time.DateOnly) != end.Format(time.DateOnly) {
		times = start.Format("Jan 2, 3:04 PM") + " – " + end.Format("Jan 2, 3:04 PM MST")
	}
	return requestView{r, start.Format("Jan"), start.Format("2"), start.Format("Mon"), times, start.Format("Monday, January 2, 2006"), start.Format("2006-01-02T15:04"), effectView{}}
}

// webhookLine tells how delivery stands, so that a person sees why nothing moves.
func (w *World) webhookLine() string {
	sent := w.HighLevel.Sent()
	waiting, failed, accepted, why := 0, 0, 0, ""
	for _, s := range sent {
		switch {
		case s.LastStatus >= 200 && s.LastStatus < 300:
			accepted++
		case s.Done && s.Attempts > 0:
			failed++
		case !s.Done:
			waiting++
			if s.LastStatus != 0 {
				why = fmt.Sprintf("Milepost answered %d", s.LastStatus)
			} else if s.LastError != "" {
				why = "Milepost does not answer"
			}
		}
	}
	switch {
	case len(sent) == 0:
		return "No webhook sent yet. Change something below."
	case accepted+failed+waiting == 0:
		return fmt.Sprintf("%s not sent, because no webhook URL is set.", plural(len(sent), "webhook"))
	}
	line := plural(accepted, "webhook") + " accepted"
	if waiting > 0 {
		line += fmt.Sprintf(", %d waiting", waiting)
		if why != "" {
			line += ", because " + why + ". HighLevel sends them again"
		}
	}
	if failed > 0 {
		line += fmt.Sprintf(", %d given up", failed)
	}
	return line + "."
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

var htmlTag = regexp.MustCompile(`<[^>]*>`)

// plainText shows a note as text. HighLevel's editor writes HTML, whose tags are
// closed; a note typed on the page is text already.
func plainText(s string) string {
	if !strings.Contains(s, "</") {
		return s
	}
	return html.UnescapeString(htmlTag.ReplaceAllString(s, ""))
}

func (w *World) showPage(rw http.ResponseWriter, status int, problem string) {
	var b bytes.Buffer
	if err := pageTemplate().ExecuteTemplate(&b, "page.html", w.view(problem)); err != nil {
		http.Error(rw, "could not render the page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	rw.WriteHeader(status)
	rw.Write(b.Bytes())
}
