// Package console is the web console of the operator: pages, templates and static
// files, served under Path on the admin listener.
//
// Guarantees: every page works without script; the policy for content allows no
// script and no style but its own files; text from contacts and vendors is only
// ever text; personal data is masked for viewers until they ask for it, and the
// audit log says that they did.
//
// It decides nothing: package operate reads and changes things for it, and package
// people says who may sign in. Whoever mounts it lets nobody in without a session,
// apart from what Open names.
package console

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"milepost/internal/operate"
	"milepost/internal/people"
)

// Path is where the console is mounted.
const Path = "/console/"

const (
	signInPath = Path + "sign-in"
	staticPath = Path + "static/"
	showPath   = Path + "show/" // as a prefix of a page's path: the page with its personal data
)

// Open reports whether a path needs no session: the sign-in, and what it looks like.
func Open(path string) bool {
	return path == signInPath || strings.HasPrefix(path, signInPath+"/") || strings.HasPrefix(path, staticPath)
}

// Page reports whether a request without a session is sent to the sign-in.
func Page(path string) bool {
	return path == "/" || path == "/console" || strings.HasPrefix(path, Path)
}

// ForViewers reports whether viewers may use a path with any method: it changes
// nothing but the audit log, or their own session.
func ForViewers(path string) bool {
	return path == Path+"sign-out" || strings.HasPrefix(path, showPath)
}

// Config is what the console needs.
type Config struct {
	Desk    *operate.Desk
	People  *people.Registry
	Closing <-chan struct{} // closed when the listener is; ends the streams
	Secure  bool            // people reach it by https
	Sandbox string          // address of the sandbox's page for the fakes; "" = this is no sandbox
	// HighLevel is the address of HighLevel's app for people; "" = no link leads there.
	HighLevel string
	Logger    zerolog.Logger
	Refused   zerolog.Logger // of rejected sign-ins; may be sampled, because anyone can cause them
	Now       func() time.Time
}

// Console is the web console.
type Console struct {
	Config
	pages   map[string]*template.Template
	streams chan struct{}
}

//go:embed templates static
var files embed.FS

// New returns the console.
func New(cfg Config) (*Console, error) {
	pages, err := templates()
	if err != nil {
		return nil, err
	}
	c := &Console{Config: cfg, pages: pages, streams: make(chan struct{}, mostStreams)}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

// templates reads the templates, once in a process, and returns them by page. All pages
// share the layout and its parts.
var templates = sync.OnceValues(func() (map[string]*template.Template, error) {
	const layout = "templates/layout.html"
	shared, err := template.New("layout.html").Funcs(functions).ParseFS(files, layout, "templates/parts/*.html")
	if err != nil {
		return nil, fmt.Errorf("read the template of the layout: %w", err)
	}
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	pages := map[string]*template.Template{}
	for _, name := range names {
		if name == layout {
			continue
		}
		short := strings.TrimSuffix(strings.TrimPrefix(name, "templates/"), ".html")
		page, err := shared.Clone()
		if err == nil {
			page, err = page.ParseFS(files, name)
		}
		if err != nil {
			return nil, fmt.Errorf("read the template of the page %s: %w", short, err)
		}
		pages[short] = page
	}
	return pages, nil
})

// Router leads to the pages. Its paths are below Path.
func (c *Console) Router() chi.Router {
	r := chi.NewRouter()
	r.Use(headers, c.onlyText)
	r.NotFound(func(w http.ResponseWriter, r *http.Request) { c.fail(w, r, errNotFound) })
	r.Get("/static/{name}", serveAsset)
	c.signInRoutes(r)
	c.page(r, "/", "overview", c.overviewPage)
	c.attentionRoutes(r)
	c.replayRoutes(r)
	c.page(r, "/deliveries", "deliveries", c.deliveriesPage)
	c.page(r, "/deliveries/{id}", "delivery", c.deliveryPage)
	c.page(r, "/deliveries/{id}/replay", "replay", c.replayPage)
	c.action(r, "/deliveries/{id}/replay", "delivery", c.deliveryPage, c.replay)
	c.page(r, "/contacts", "contacts", c.contactsPage)
	c.page(r, "/contacts/{location}/{id}", "contact", c.contactPage)
	c.action(r, "/contacts/{location}/{id}/sync", "contact", c.contactPage, c.syncContact)
	c.page(r, "/contacts/{location}/{id}/forget", "forget", c.forgetPage)
	c.action(r, "/contacts/{location}/{id}/forget", "forget", c.forgetPage, c.forget)
	c.action(r, "/contacts/{location}/{id}/remember", "contact", c.contactPage, c.remember)
	c.automationRoutes(r)
	c.page(r, "/calendar", "calendar", c.calendarPage)
	c.connectionRoutes(r)
	c.backfillRoutes(r)
	c.startRoutes(r)
	c.page(r, "/recipes", "recipes", c.recipesPage)
	c.page(r, "/recipes/{id}", "recipe", c.recipePage)
	c.action(r, "/recipes/{id}/add", "recipe", c.recipePage, c.addRecipe)
	c.action(r, "/recipes/{id}/create", "recipe", c.recipePage, c.createNeed)
	c.page(r, "/catalog", "catalog", c.catalogPage)
	c.page(r, "/catalog/{name}", "entry", c.entryPage)
	c.page(r, "/jobs", "jobs", c.jobsPage)
	c.action(r, "/jobs/sync", "jobs", c.jobsPage, c.syncRecord)
	c.action(r, "/jobs/{id}/run", "jobs", c.jobsPage, c.runJob)
	r.Get("/events", c.events)
	c.settingsRoutes(r)
	return r
}

// headers are those of every answer. Nothing is kept in a cache: a page may hold
// personal data.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "+
			"img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "same-origin") // paths and filters are nobody else's business
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// onlyText rejects addresses with bytes that are no text: PostgreSQL would.
func (c *Console) onlyText(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isText(r.URL.Path) || !areText(r.URL.Query()) {
			c.fail(w, r, errNotFound)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

func areText(values url.Values) bool {
	for name, list := range values {
		if !isText(name) || slices.ContainsFunc(list, func(s string) bool { return !isText(s) }) {
			return false
		}
	}
	return true
}

// view is what a template shows.
type view struct {
	Title   string
	Section string // of the navigation
	Me      people.Identity
	operate.Mask
	URL       string // of the page, without the prefix for showing personal data
	Attention int    // open concerns
	Problem   string // why nothing was changed
	Said      string // what was changed
	Sandbox   string
	Data      any
	Result    any    // what an action found, for its page
	First     bool   // no contact was synced yet, and the reader can change that
	page      string // that is shown in place of the form's; "" = none
}

// Operator reports whether the reader may change things.
func (v *view) Operator() bool { return v.Me.Role == people.Operator }

// ShowURL is where to ask for the page's personal data.
func (v *view) ShowURL() string { return showPath + strings.TrimPrefix(v.URL, Path) }

// pageFunc reads what a page shows into a view.
type pageFunc func(r *http.Request, v *view) error

// page registers a page, and the same page with its personal data for viewers.
func (c *Console) page(r chi.Router, pattern, name string, read pageFunc) {
	r.Get(pattern, func(w http.ResponseWriter, r *http.Request) {
		v := c.view(r)
		v.Shown = v.Operator()
		c.show(w, r, http.StatusOK, name, v, read)
	})
	r.Post("/show"+pattern, func(w http.ResponseWriter, r *http.Request) {
		v := c.view(r)
		v.Shown = true
		v.URL = Path + strings.TrimPrefix(r.URL.RequestURI(), showPath)
		if err := c.People.Note(r.Context(), v.Me.Name, "looked at personal data on", Path+strings.TrimPrefix(r.URL.Path, showPath)); err != nil {
			c.fail(w, r, err)
			return
		}
		c.show(w, r, http.StatusOK, name, v, read)
	})
}

// doFunc changes something, and says where to go then; "" = the page is shown with the
// view's Result.
type doFunc func(r *http.Request, v *view) (next string, err error)

// action registers a form of a page. If it fails for a reason that the person can
// put right, the page is shown again with the reason.
func (c *Console) action(r chi.Router, pattern, name string, read pageFunc, do doFunc) {
	c.actionOf(r, 64<<10, pattern, name, read, do)
}

// longestText bounds a form that holds the text of automations, in bytes.
const longestText = 4 << 20

// actionOf is action for a form of at most so many bytes. It may send a file.
func (c *Console) actionOf(r chi.Router, most int64, pattern, name string, read pageFunc, do doFunc) {
	r.Post(pattern, func(w http.ResponseWriter, r *http.Request) {
		v := c.view(r)
		v.Shown = v.Operator()
		r.Body = http.MaxBytesReader(w, r.Body, most)
		err := r.ParseMultipartForm(most) //nolint:gosec // the reader above bounds it
		if errors.Is(err, http.ErrNotMultipart) {
			err = nil
		}
		if err != nil || !areText(r.PostForm) {
			err = problem("The form could not be read.")
		}
		var next string
		if err == nil {
			next, err = do(r, v)
		}
		if p, ok := errors.AsType[problem](err); ok {
			v.Problem = string(p)
			c.show(w, r, http.StatusUnprocessableEntity, cmp.Or(v.page, name), v, read)
			return
		}
		if err != nil {
			c.fail(w, r, err)
			return
		}
		if next == "" {
			c.show(w, r, http.StatusOK, cmp.Or(v.page, name), v, read)
			return
		}
		http.Redirect(w, r, next, http.StatusSeeOther)
	})
}

// problem is a reason that a person can put right, in a sentence.
type problem string

func (p problem) Error() string { return string(p) }

var (
	errNotFound  = errors.New("there is no such page")
	errForbidden = errors.New("viewers have no access to this page")
)

func (c *Console) view(r *http.Request) *view {
	v := &view{Me: people.From(r.Context()), URL: r.URL.RequestURI(), Sandbox: c.Sandbox, Said: said[r.URL.Query().Get("said")]}
	if v.Me.Name != "" {
		v.Attention = c.openConcerns(r.Context())
	}
	return v
}

// said are the sentences that a page says after a change, by the name in its address.
var said = map[string]string{
	"added":   "The person can sign in now.",
	"removed": "The person was removed and is signed out everywhere.",
	"changed": "The change is saved. A new password signs the person out everywhere.",
	"ended":   "The session has ended.",

	"revoked": "The token is revoked. No program can use it any more.",

	"synced":     "The sync is in the queue. Reload the page to see what becomes of it.",
	"forgotten":  "The contact is forgotten. Its data is being erased now.",
	"remembered": "The contact is synced again. The sync is in the queue.",
	"run":        "The job is due now.",

	"replay-began":     "The replay has begun. Reload the page to see how far it is.",
	"replay-cancelled": "The replay is cancelled. What it has reached stays as it is.",

	"over":         "Its cause is gone already. There was nothing to do.",
	"retried":      "All of its records are in the queue. Reload the page to see what becomes of them.",
	"retry-began":  "The retry has begun. This page shows how far it is.",
	"acknowledged": "You acknowledged it. It is open again only if its cause goes away and comes back.",
	"snoozed":      "It is snoozed. It is open again after that time, or if its cause goes away and comes back.",
	"reopened":     "It is open again.",
	"allowed":      "Milepost looks for each of the records once more, and then removes their items.",
	"settled":      "The request is settled as sent.",
	"sent-again":   "Milepost sends the request again, if the automation still asks for it.",
	"superseded":   "The request is settled, but not sent again: the record has changed since, and a later request was sent.",
	"released":     "The automation may send requests again. The records that it was stopped for are in the queue.",

	"switched-on":     "It is on. It follows each record when that changes next. If it was paused, it catches up with all records now.",
	"switched-paused": "It is paused. What it made stays exactly as it is.",
	"switched-off":    "It is off. What it made stays as it is. To remove that, apply the automation.",
	"restored":        "The earlier version is live again, as a new version. What exists is unchanged until its record changes, or until you apply the automation.",
	"saved":           "It is saved and live. What exists is unchanged until its record changes, or until you apply the automation.",
	"draft-saved":     "The draft is saved. It does nothing until you make it live.",
	"discarded":       "The draft is discarded.",
	"applied":         "The run has begun. Reload the page to see how far it is.",
	"apply-cancelled": "The run is cancelled. What it has reached stays as it is.",

	"created":            "The automation is saved and on. It follows each record when that changes next.",
	"copied":             "This is the copy, a draft. It does nothing until you make it live.",
	"deleted":            "The automation is deleted. What it made stays as it is.",
	"imported":           "The drafts are saved. They do nothing until you make them live.",
	"same":               "Nothing was imported: the automations of the file are there already, with the same text.",
	"connected":          "The tokens work and are stored. Milepost uses them from now on.",
	"agency-allowed":     "The agency may connect its locations now.",
	"disconnected":       "The location is disconnected, and its tokens and links are deleted.",
	"disconnected-hooks": "The location is disconnected, and its tokens and links are deleted. Some webhooks remain at CalendarHero, and Milepost rejects what they send. You can delete them in CalendarHero.",
	"hooks-taken":        "The webhooks are registered. The table shows what became of each.",
	"hooks-released":     "Milepost deleted its webhooks and registers none until you say so. It polls CalendarHero in place of them.",
	"account":            "You can sign in with this name and password from now on.",
	"app-set":            "It is saved. Milepost uses it within a second.",
	"backfill-begun":     "The backfill has begun. Reload the page to see how far it is.",
	"backfill-cancelled": "The backfill is cancelled. What it has found already is synced.",
	"link-ended":         "The link has ended. It answers nobody any more.",

	"recipe-on":    "The recipe is added and on. It follows each record when that changes next.",
	"recipe-off":   "The recipe is added and off. It does nothing until you switch it on.",
	"need-created": "It is created in HighLevel.",
	"replayed":     "The record is in the queue again. Reload the page to see what becomes of it.",
}

func (c *Console) show(w http.ResponseWriter, r *http.Request, status int, name string, v *view, read pageFunc) {
	if read != nil {
		if err := read(r, v); err != nil {
			c.fail(w, r, err)
			return
		}
	}
	if v.Operator() && v.Section != "start" {
		synced, err := c.Desk.Synced(r.Context())
		if err != nil {
			c.fail(w, r, err)
			return
		}
		v.First = !synced
	}
	var b bytes.Buffer
	if err := c.pages[name].Execute(&b, v); err != nil {
		c.fail(w, r, fmt.Errorf("fill in the page %s: %w", name, err))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(bytes.Map(visible, b.Bytes())) // the client is gone if this fails
}

// visible replaces a character that turns around the text beside it, and so could
// make a record's name pass for something else, and a control character.
func visible(r rune) rune {
	if r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' {
		return unicode.ReplacementChar
	}
	return r
}

// fail shows why there is no page.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, err error) {
	v := c.view(r)
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, errNotFound):
		status, v.Title = http.StatusNotFound, "There is nothing here"
		v.Problem = "The record may have been deleted, or the address is mistyped."
	case errors.Is(err, errForbidden):
		status, v.Title = http.StatusForbidden, "For operators only"
		v.Problem = "You are signed in as a viewer. Ask an operator to look, or to change your role."
	case errors.Is(err, context.Canceled):
		return // nobody reads it
	default:
		c.Logger.Error().Err(err).Str("route", chi.RouteContext(r.Context()).RoutePattern()).Msg("could not show a page")
		v.Title, v.Problem = "This page cannot be shown now", "Milepost could not read its data. Its log says why. Try again in a minute."
	}
	var b bytes.Buffer
	if err := c.pages["failed"].Execute(&b, v); err != nil {
		http.Error(w, v.Title, status)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// RetryAfter says in a header when to try again.
func RetryAfter(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
}

// AskSignIn sends a browser to the sign-in, and back afterwards.
func AskSignIn(w http.ResponseWriter, r *http.Request) {
	to := signInPath
	if r.Method == http.MethodGet && r.URL.Path != "/" && r.URL.Path != Path {
		to += "?" + url.Values{"next": {r.URL.RequestURI()}}.Encode()
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
}
