package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"

	"milepost/internal/peer"
	"milepost/internal/people"
)

const cookieName = "milepost_session"

// SessionToken is the token in a request's cookie; "" if there is none.
func SessionToken(r *http.Request) string {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// LinkPath is the path of a link that signs in once.
func LinkPath(code string) string { return signInPath + "/" + url.PathEscape(code) }

// signInData is what the sign-in page shows.
type signInData struct {
	Name string // as it was typed
	Next string
	// Token and People say which of the two forms can work.
	Token, People bool
}

func (c *Console) signInRoutes(r chi.Router) {
	r.Get("/sign-in", func(w http.ResponseWriter, r *http.Request) {
		c.askSignIn(w, r, http.StatusOK, "", r.URL.Query().Get("next"))
	})
	r.Post("/sign-in", c.signIn)
	r.Get("/sign-in/{code}", c.signInByLink)
	r.Post("/sign-out", c.signOut)
}

func (c *Console) askSignIn(w http.ResponseWriter, r *http.Request, status int, problem, next string) {
	empty, err := c.People.Empty(r.Context())
	if err != nil {
		c.fail(w, r, err)
		return
	}
	v := &view{Title: "Sign in", Problem: problem, Sandbox: c.Sandbox}
	v.Data = signInData{Name: r.PostFormValue("name"), Next: backTo(next), Token: c.People.HasToken(), People: !empty}
	c.show(w, r, status, "signin", v, nil)
}

// backTo is a page of the console, and never another site.
func backTo(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, Path) || strings.Contains(u.Path, "..") || Open(u.Path) || strings.HasPrefix(u.Path, showPath) {
		return Path
	}
	return u.RequestURI()
}

func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	if err := r.ParseForm(); err != nil {
		c.askSignIn(w, r, http.StatusBadRequest, "The form could not be read.", "")
		return
	}
	next := r.PostForm.Get("next")
	var token string
	var err error
	if r.PostForm.Has("token") {
		token, err = c.People.SignInByToken(r.Context(), browser(r), strings.TrimSpace(r.PostForm.Get("token")))
	} else {
		token, err = c.People.SignIn(r.Context(), browser(r), r.PostForm.Get("name"), r.PostForm.Get("password"))
	}
	if err != nil {
		status := c.refused(w, r, err)
		if status == 0 {
			c.fail(w, r, err)
			return
		}
		c.askSignIn(w, r, status, sentence(err), next)
		return
	}
	c.begin(w, r, token, backTo(next))
}

// refused notes a sign-in that failed, and returns its status; 0 = it is a defect.
func (c *Console) refused(w http.ResponseWriter, r *http.Request, err error) int {
	status := http.StatusUnauthorized
	locked, isLocked := errors.AsType[*people.Locked](err)
	switch {
	case isLocked:
		status = http.StatusTooManyRequests
		RetryAfter(w, locked.Wait)
	case errors.Is(err, people.ErrWrong), errors.Is(err, people.ErrWrongToken), errors.Is(err, people.ErrNoToken), errors.Is(err, people.ErrLink):
	default:
		return 0
	}
	c.Refused.Warn().Int("status", status).Str("reason", err.Error()).Str("client", peer.Text(r.Context())).Msg("sign-in rejected")
	return status
}

// signInByLink uses the link up. A browser that only looks ahead does not.
func (c *Console) signInByLink(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch") {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	token, err := c.People.SignInByLink(r.Context(), browser(r), chi.URLParam(r, "code"))
	if err != nil {
		status := c.refused(w, r, err)
		if status == 0 {
			c.fail(w, r, err)
			return
		}
		c.askSignIn(w, r, status, sentence(err)+" Sign in below, or restart Milepost to get another link.", "")
		return
	}
	c.begin(w, r, token, Path)
}

func (c *Console) begin(w http.ResponseWriter, r *http.Request, token, next string) {
	c.setCookie(w, r, token, 30*24*60*60)
	http.Redirect(w, r, next, http.StatusSeeOther) //nolint:gosec // backTo made it a page of the console
}

func (c *Console) setCookie(w http.ResponseWriter, r *http.Request, token string, maxAge int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure where people come by https; many come by http to localhost
		Name: cookieName, Value: token, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: c.Secure || r.TLS != nil,
	})
}

func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	if err := c.People.SignOut(r.Context(), people.From(r.Context())); err != nil {
		c.fail(w, r, err)
		return
	}
	c.setCookie(w, r, "", -1)
	http.Redirect(w, r, signInPath, http.StatusSeeOther)
}

func browser(r *http.Request) people.Browser {
	return people.Browser{Address: peer.Text(r.Context()), Agent: r.UserAgent()}
}

// sentence makes a sentence of an error's words.
func sentence(err error) string {
	text := err.Error()
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
