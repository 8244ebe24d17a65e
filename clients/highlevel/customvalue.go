package highlevel

import (
	"context"
	"net/http"

	"milepost/clients"
)

const (
	opCustomValues      = "list custom values of location"
	opCreateCustomValue = "create custom value of location"
	opUpdateCustomValue = "update custom value of location"
	opDeleteCustomValue = "delete custom value of location"
)

// CustomValue is a text of a location that people use in templates.
type CustomValue struct {
	ID    string
	Name  string
	Value string
}

// UnmarshalJSON reads the record with tolerance.
func (v *CustomValue) UnmarshalJSON(data []byte) error {
	o, err := clients.ParseRecord(data)
	if err != nil {
		return err
	}
	*v = CustomValue{ID: o.Text("id"), Name: o.Text("name"), Value: o.Text("value")}
	return nil
}

// CustomValues lists the custom values of a location.
func (c *Client) CustomValues(ctx context.Context, locationID string) ([]CustomValue, error) {
	var out struct{ CustomValues *[]CustomValue }
	err := c.do(ctx, route{operation: opCustomValues, method: http.MethodGet, path: "/locations/%s/customValues", ids: []string{locationID}}, &out)
	return listed(opCustomValues, locationID, out.CustomValues, func(v CustomValue) string { return v.ID }, err)
}

// CreateCustomValue adds a custom value.
func (c *Client) CreateCustomValue(ctx context.Context, locationID, name, value string) (CustomValue, error) {
	var out struct{ CustomValue CustomValue }
	err := c.do(ctx, route{
		operation: opCreateCustomValue, method: http.MethodPost, path: "/locations/%s/customValues", ids: []string{locationID},
		effect: clients.Once, body: customValue{name, value},
	}, &out)
	if err == nil && out.CustomValue.ID == "" {
		err = lostRecord(opCreateCustomValue, locationID)
	}
	return out.CustomValue, err
}

// UpdateCustomValue replaces the name and the value.
func (c *Client) UpdateCustomValue(ctx context.Context, locationID, valueID, name, value string) error {
	var out struct{ CustomValue CustomValue }
	err := c.do(ctx, route{
		operation: opUpdateCustomValue, method: http.MethodPut, path: "/locations/%s/customValues/%s", ids: []string{locationID, valueID},
		effect: clients.Idempotent, body: customValue{name, value},
	}, &out)
	if err == nil && out.CustomValue.ID == "" {
		err = incomplete(opUpdateCustomValue, valueID)
	}
	return err
}

// DeleteCustomValue removes a custom value.
func (c *Client) DeleteCustomValue(ctx context.Context, locationID, valueID string) error {
	return c.act(ctx, route{
		operation: opDeleteCustomValue, method: http.MethodDelete, path: "/locations/%s/customValues/%s", ids: []string{locationID, valueID},
		effect: clients.Idempotent,
	})
}

type customValue struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
