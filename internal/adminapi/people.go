package adminapi

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"milepost/internal/people"
	"milepost/internal/store"
)

// Person may sign in.
type Person struct {
	Name  string    `json:"name"`
	Role  string    `json:"role" enum:"operator,viewer"`
	Added time.Time `json:"added_at"`
}

// AuditEntry says who did what.
type AuditEntry struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at"`
	Who     string    `json:"who"`
	What    string    `json:"what"`
	Subject string    `json:"subject,omitempty"`
}

// OnePerson is the part of a request that names somebody.
type OnePerson struct {
	Name string `path:"name" maxLength:"64"`
}

type newPerson struct {
	Body struct {
		Name     string `json:"name" maxLength:"64"`
		Password string `json:"password" minLength:"8" maxLength:"1024" writeOnly:"true"`
		Role     string `json:"role" enum:"operator,viewer"`
	}
}

type newRole struct {
	OnePerson
	Body struct {
		Role string `json:"role" enum:"operator,viewer"`
	}
}

type newPassword struct {
	OnePerson
	Body struct {
		Password string `json:"password" minLength:"8" maxLength:"1024" writeOnly:"true"`
	}
}

// Token is a token of a person, without the token itself.
type Token struct {
	ID     int64     `json:"id"`
	Label  string    `json:"label"`
	By     string    `json:"made_by"`
	MadeAt time.Time `json:"made_at"`
	UsedAt time.Time `json:"used_at,omitzero" doc:"When it was last used, to the minute. Missing if it never was."`
}

// NewToken is a token that was just made.
type NewToken struct {
	Token string `json:"token" doc:"Nothing shows it again."`
}

type tokensQuery struct {
	OnePerson
	Paging
}

type newToken struct {
	OnePerson
	Body struct {
		Label string `json:"label" minLength:"1" maxLength:"64" doc:"What it is for."`
	}
}

type oneToken struct {
	OnePerson
	ID int64 `path:"id" minimum:"1"`
}

func (a *API) tokens() {
	const tag, path = "people", "/people/{name}/tokens"
	get(a, endpoint{id: "list-tokens", path: path, tag: tag, operators: true, summary: "The tokens of a person"},
		func(ctx context.Context, in *tokensQuery) (Page[Token], error) {
			list, err := a.People.Tokens(ctx, in.Name)
			if err != nil {
				return Page[Token]{}, err
			}
			return pageOf(in.Paging, list, func(t store.PersonToken) string { return strconv.FormatInt(t.ID, 10) }, func(t store.PersonToken) Token {
				return Token{t.ID, t.Label, t.By, t.CreatedAt.UTC(), utc(t.SeenAt)}
			})
		})
	post(a, http.MethodPost, endpoint{
		id: "create-token", path: path, tag: tag, summary: "Create a token for a person", about: "A program that sends it may do what the person may do.",
	}, func(ctx context.Context, in *newToken) (NewToken, error) {
		token, err := a.People.NewToken(ctx, who(ctx), in.Name, in.Body.Label)
		return NewToken{token}, err
	})
	act(a, http.MethodDelete, endpoint{id: "revoke-token", path: path + "/{id}", tag: tag, summary: "Revoke a token"},
		func(ctx context.Context, in *oneToken) error {
			return a.People.RevokeToken(ctx, who(ctx), in.Name, in.ID)
		})
}

func (a *API) peopleAndAudit() {
	const tag = "people"
	get(a, endpoint{id: "list-people", path: "/people", tag: tag, summary: "Who may sign in, and as what", operators: true},
		func(ctx context.Context, in *struct{ Paging }) (Page[Person], error) {
			list, err := a.People.List(ctx)
			if err != nil {
				return Page[Person]{}, err
			}
			return pageOf(in.Paging, list, func(p store.Person) string { return p.Name }, func(p store.Person) Person {
				return Person{p.Name, p.Role, p.CreatedAt.UTC()}
			})
		})
	act(a, http.MethodPost, endpoint{id: "add-person", path: "/people", tag: tag, summary: "Add a person"},
		func(ctx context.Context, in *newPerson) error {
			return a.People.Add(ctx, who(ctx), in.Body.Name, in.Body.Password, people.Role(in.Body.Role))
		})
	act(a, http.MethodPut, endpoint{id: "set-role", path: "/people/{name}/role", tag: tag, summary: "Give a person another role"},
		func(ctx context.Context, in *newRole) error {
			if in.Name == people.From(ctx).Person && in.Body.Role != string(people.Operator) {
				return huma.Error409Conflict("you cannot make a viewer of yourself; ask another operator")
			}
			return a.People.SetRole(ctx, who(ctx), in.Name, people.Role(in.Body.Role))
		})
	act(a, http.MethodPut, endpoint{id: "set-password", path: "/people/{name}/password", tag: tag, summary: "Give a person another password, and end the person's sessions"},
		func(ctx context.Context, in *newPassword) error {
			return a.People.SetPassword(ctx, who(ctx), in.Name, in.Body.Password)
		})
	act(a, http.MethodDelete, endpoint{id: "remove-person", path: "/people/{name}", tag: tag, summary: "Remove a person, and end the person's sessions and tokens"},
		func(ctx context.Context, in *OnePerson) error {
			if in.Name == people.From(ctx).Person {
				return huma.Error409Conflict("you cannot remove yourself; ask another operator")
			}
			return a.People.Remove(ctx, who(ctx), in.Name)
		})
	get(a, endpoint{id: "list-audit", path: "/audit", tag: "audit", summary: "Who did what, newest first", operators: true},
		func(ctx context.Context, in *struct{ Paging }) (Page[AuditEntry], error) {
			before, err := in.before()
			if err != nil {
				return Page[AuditEntry]{}, err
			}
			list, err := a.People.AuditPage(ctx, before, in.Limit+1)
			if err != nil {
				return Page[AuditEntry]{}, err
			}
			var next int64
			if len(list) > in.Limit {
				list, next = list[:in.Limit], list[in.Limit-1].ID
			}
			return older(each(list, func(e store.AuditEntry) AuditEntry {
				return AuditEntry{e.ID, e.At.UTC(), e.Who, e.What, e.Subject}
			}), next), nil
		})
}
