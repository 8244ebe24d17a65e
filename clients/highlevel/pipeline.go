package highlevel

import (
	"context"
	"net/http"
	"net/url"

	"milepost/clients"
)

const opPipelines = "list pipelines of location"

// Pipeline is a sequence of stages for opportunities.
type Pipeline struct {
	ID     string
	Name   string
	Stages []Stage // as HighLevel lists them
}

// Stage is a stage of a pipeline. Opportunities contain only its id.
type Stage struct {
	ID   string
	Name string
}

// UnmarshalJSON reads the record with tolerance.
func (p *Pipeline) UnmarshalJSON(data []byte) error {
	o, err := clients.ParseRecord(data)
	if err != nil {
		return err
	}
	*p = Pipeline{ID: o.Text("id"), Name: o.Text("name")}
	for _, stage := range o.Objects("stages") {
		if id := stage.Text("id"); id != "" {
			p.Stages = append(p.Stages, Stage{ID: id, Name: stage.Text("name")})
		}
	}
	return nil
}

// Pipelines lists the pipelines of a location with their stages.
func (c *Client) Pipelines(ctx context.Context, locationID string) ([]Pipeline, error) {
	if err := checkID(opPipelines, locationID); err != nil {
		return nil, err
	}
	var out struct{ Pipelines *[]Pipeline }
	err := c.do(ctx, route{
		operation: opPipelines, method: http.MethodGet, path: "/opportunities/pipelines",
		query: url.Values{"locationId": {locationID}},
	}, &out)
	return listed(opPipelines, locationID, out.Pipelines, func(p Pipeline) string { return p.ID }, err)
}
