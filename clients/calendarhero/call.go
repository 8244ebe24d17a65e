package calendarhero

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"milepost/clients"
	"milepost/internal/catalog"
)

// Call makes an operation of the catalogue, and returns its answer without credentials; nil
// if the answer is empty. It checks the fields first. If they are wrong, the error is a
// *clients.Error of Reason Invalid that wraps catalog.Mistakes.
//
// A Read or Repeatable operation is retried and fails like every other call. A Once
// operation is sent once, and is Unclear if its answer is lost.
func (c *Client) Call(ctx context.Context, operation catalog.Entry, fields map[string]any) (json.RawMessage, error) {
	_, name, _ := strings.Cut(operation.Name, ".")
	r := route{operation: strings.ReplaceAll(name, "_", " "), method: operation.Method, effect: effects[operation.Effect]}
	request, err := operation.Request(catalog.Own{Vendor: catalog.CalendarHero}, fields)
	if err != nil {
		return nil, &clients.Error{API: API, Operation: r.operation, Reason: clients.Invalid, Err: err}
	}
	r.path, r.ids, r.query = request.Path, request.IDs, request.Query
	r.noContent = operation.Method == http.MethodDelete && operation.Path == "/meeting/tasks/{id}"
	if request.Body != nil {
		r.body = request.Body
	}
	if hook, ok := request.Body["hookUrl"].(string); ok {
		r.secrets = hookSecrets(hook)
	}
	if operation.Path == "/provider" {
		return c.providersWithoutCredentials(ctx, r)
	}
	var answer json.RawMessage
	if r.noContent {
		return nil, c.do(ctx, r, nil)
	}
	if err := c.do(ctx, r, &answer); err != nil {
		return nil, err
	}
	if operation.Path == "/webhook/{event}" {
		return withoutHookURL(answer)
	}
	return clients.WithoutSecrets(answer)
}

var effects = map[catalog.Effect]clients.Effect{
	catalog.Read: clients.Read, catalog.Repeatable: clients.Idempotent, catalog.Once: clients.Once,
}

// providersWithoutCredentials answers with the fields of Provider, under the API's names.
func (c *Client) providersWithoutCredentials(ctx context.Context, r route) (json.RawMessage, error) {
	providers, err := list(ctx, c, r, wholeProvider)
	if err != nil {
		return nil, err
	}
	kept := []any{}
	for _, p := range providers {
		kept = append(kept, map[string]any{
			"name": p.Name, "providerType": p.Type, "categoryType": p.Categories, "calendar": p.Calendar, "contacts": p.Contacts, "mail": p.Mail,
			"userId": p.UserID, "orgId": p.OrgID, "dateAdded": p.DateAdded, "dateUpdated": p.DateUpdated, "dateLastImport": p.DateLastImport,
		})
	}
	return json.Marshal(kept)
}

// withoutHookURL answers whether a webhook is registered, without its URL, which may
// contain a key.
func withoutHookURL(answer json.RawMessage) (json.RawMessage, error) {
	hook, registered := registration(answer)
	return json.Marshal(map[string]any{"id": hook.ID, "registered": registered})
}
