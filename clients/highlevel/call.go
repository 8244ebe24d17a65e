package highlevel

import (
	"context"
	"encoding/json"
	"strings"

	"milepost/clients"
	"milepost/internal/catalog"
)

// Call makes an operation of the catalogue in a location, and returns its answer without
// credentials; nil if the answer is empty. It checks the fields first. If they are wrong,
// the error is a *clients.Error of Reason Invalid that wraps catalog.Mistakes. Call fills
// in the location, and its agency if the operation needs one; they cannot be among the
// fields.
//
// A Read or Repeatable operation is retried and fails like every other call. A Once
// operation is sent once, and is Unclear if its answer is lost.
func (c *Client) Call(ctx context.Context, operation catalog.Entry, locationID string, fields map[string]any) (json.RawMessage, error) {
	words := inWords(operation)
	invalid := func(err error) error {
		return &clients.Error{API: "HighLevel", Operation: words, Reason: clients.Invalid, Err: err}
	}
	if err := checkID(words, locationID); err != nil {
		return nil, err
	}
	own := catalog.Own{Vendor: catalog.HighLevel, LocationID: locationID}
	if operation.Needs(catalog.Company) {
		location, err := c.Location(ctx, locationID)
		if err != nil {
			return nil, err
		}
		own.CompanyID = location.CompanyID
	}
	request, err := operation.Request(own, fields)
	if err != nil {
		return nil, invalid(err)
	}
	r := route{
		operation: words, method: operation.Method, path: request.Path, ids: request.IDs,
		effect: effects[operation.Effect], query: request.Query,
	}
	if request.Body != nil {
		r.body = request.Body
	}
	var answer json.RawMessage
	if err := c.do(ctx, r, &answer); err != nil {
		return nil, err
	}
	var said flag
	if said.UnmarshalJSON(answer) == nil {
		if err := r.flagged(said); err != nil {
			return nil, err
		}
	}
	return clients.WithoutSecrets(answer)
}

var effects = map[catalog.Effect]clients.Effect{
	catalog.Read: clients.Read, catalog.Repeatable: clients.Idempotent, catalog.Once: clients.Once,
}

// inWords returns the name of an operation for errors, such as "create contact".
func inWords(operation catalog.Entry) string {
	_, name, _ := strings.Cut(operation.Name, ".")
	return strings.ReplaceAll(name, "_", " ")
}
