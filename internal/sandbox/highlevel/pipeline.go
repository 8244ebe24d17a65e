package highlevel

import (
	"cmp"
	"net/http"
	"slices"

	"milepost/internal/sandbox/fakehttp"
)

// Pipeline is a row of stages that opportunities go through.
type Pipeline struct {
	ID, Name string
	Stages   []Stage
}

// Stage is a stage of a pipeline.
type Stage struct{ ID, Name string }

// SeedPipeline adds a pipeline to a location and returns it; ids that are empty are made.
func (h *Server) SeedPipeline(locationID string, p Pipeline) Pipeline {
	p.ID = cmp.Or(p.ID, newID())
	p.Stages = slices.Clone(p.Stages)
	for i := range p.Stages {
		if p.Stages[i].ID == "" {
			p.Stages[i].ID = fakehttp.UUID()
		}
	}
	h.seed(locationID, func(l *location) { l.pipelines = append(l.pipelines, p) })
	return p
}

func (l *location) pipeline(id string) (Pipeline, bool) {
	i := slices.IndexFunc(l.pipelines, func(p Pipeline) bool { return p.ID == id })
	if i < 0 {
		return Pipeline{}, false
	}
	return l.pipelines[i], true
}

func (p Pipeline) has(stageID string) bool {
	return slices.ContainsFunc(p.Stages, func(s Stage) bool { return s.ID == stageID })
}

func (h *Server) listPipelines(_ *call, l *location) (int, any, *refusal) {
	pipelines := []any{}
	for _, p := range l.pipelines {
		stages := []any{}
		for i, s := range p.Stages {
			stages = append(stages, map[string]any{"id": s.ID, "name": s.Name, "position": i, "showInFunnel": true, "showInPieChart": true})
		}
		pipelines = append(pipelines, map[string]any{
			"id": p.ID, "name": p.Name, "stages": stages, "showInFunnel": true, "showInPieChart": true, "locationId": l.ID,
		})
	}
	return http.StatusOK, map[string]any{"pipelines": pipelines}, nil
}
