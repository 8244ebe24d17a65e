package adminapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"milepost/internal/automation"
	"milepost/mapping"
)

type previewRequest struct {
	Body struct {
		Automation string `json:"automation,omitempty" maxLength:"200" doc:"The id of the automation. Send it or text."`
		Text       string `json:"text,omitempty" maxLength:"200000" doc:"YAML of one automation that is not saved."`
		Draft      bool   `json:"draft,omitempty" doc:"Take its draft."`
		Kind       string `json:"kind" enum:"contact,task,note,appointment,opportunity,meeting"`
		ID         string `json:"id" minLength:"1" maxLength:"200" doc:"The id of the record."`
		Contact    string `json:"contact,omitempty" maxLength:"200" doc:"The id of the contact of a task or note that Milepost does not know."`
		Location   string `json:"location,omitempty" maxLength:"200" doc:"The id of the location, if several are connected."`
	}
}

func (a *API) preview() {
	post(a, http.MethodPost, endpoint{
		id: "preview-automation", path: "/preview", tag: "automations", summary: "What an automation would do with a record now",
		about: "It reads the record from HighLevel, and sends nothing. The automation is previewed as if it were on.",
	}, func(ctx context.Context, in *previewRequest) (*automation.Preview, error) {
		ctx, cancel := context.WithTimeout(ctx, vendorsAnswer)
		defer cancel()
		of := automation.TargetOf(mapping.Kind(in.Body.Kind), in.Body.ID, in.Body.Contact, in.Body.Location)
		switch {
		case (in.Body.Automation == "") == (in.Body.Text == ""):
			return nil, huma.Error422UnprocessableEntity("send either automation or text")
		case in.Body.Text != "":
			return a.Desk.PreviewText(ctx, in.Body.Text, of)
		}
		return a.Desk.PreviewAutomation(ctx, in.Body.Automation, in.Body.Draft, of)
	})
}
