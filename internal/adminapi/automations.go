package adminapi

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"milepost/internal/automation"
	"milepost/internal/operate"
	"milepost/internal/people"
	"milepost/internal/store"
	"milepost/mapping"
)

// Automation is an automation, with its text if one is asked for.
type Automation struct {
	ID        string    `json:"id"`
	Name      string    `json:"name,omitempty"`
	State     string    `json:"state" enum:"on,paused,off"`
	On        string    `json:"on,omitempty" doc:"The trigger."`
	Actions   []string  `json:"actions" nullable:"false" doc:"What kinds of items it makes."`
	Version   int64     `json:"version" doc:"The one that is live. 0: there is only a draft, or a file is the source."`
	Draft     int64     `json:"draft,omitempty" doc:"The version that is its draft."`
	Base      int64     `json:"base" doc:"The newest version. Send it with a change, so that nobody's change is lost."`
	Removing  bool      `json:"removing,omitempty" doc:"It is off, and what it made is removed."`
	Mails     []string  `json:"mails" nullable:"false" doc:"Whom it may mail. Empty: nobody."`
	ChangedBy string    `json:"changed_by,omitempty"`
	ChangedAt time.Time `json:"changed_at,omitzero"`
	Text      string    `json:"text,omitempty" doc:"YAML. Hidden from viewers, because it may name people, like draft_text."`
	DraftText string    `json:"draft_text,omitempty"`
}

func showAutomation(m operate.Mask, e automation.Entry) Automation {
	out := Automation{
		ID: e.ID, Name: e.Name, State: string(e.State), On: string(e.On), Version: e.Version, Draft: e.Draft, Base: max(e.Version, e.Draft), Removing: e.Removing,
		ChangedBy: e.By, ChangedAt: utc(e.At), Text: m.Text(e.Text),
		Actions: each(e.Actions, func(k mapping.ItemKind) string { return string(k) }),
	}
	out.Mails = each(e.Mails, func(who mapping.Mailed) string {
		who.Address = m.Email(who.Address)
		return who.String()
	})
	return out
}

// AutomationVersion is one version of an automation.
type AutomationVersion struct {
	Version int64     `json:"version"`
	Live    bool      `json:"live"`
	Draft   bool      `json:"draft"`
	By      string    `json:"by"`
	Why     string    `json:"why,omitempty"`
	At      time.Time `json:"at"`
	Text    string    `json:"text,omitempty" doc:"Only if one version is asked for."`
}

func showVersion(m operate.Mask, v automation.Version) AutomationVersion {
	return AutomationVersion{v.Version, v.Live, v.Draft, v.By, m.Text(v.Why), v.At.UTC(), m.Text(v.Text)}
}

// Comparison compares two versions of an automation.
type Comparison struct {
	Lines []automation.Line `json:"lines" nullable:"false" doc:"mark is a space for a line of both, - for one of the first only, and + for one of the second only."`
}

// Run is a run of an automation over the records that exist.
type Run struct {
	State    string    `json:"state" doc:"running, done or cancelled"`
	By       string    `json:"by"`
	AskedAt  time.Time `json:"asked_at"`
	EndedAt  time.Time `json:"ended_at,omitzero"`
	Location string    `json:"location,omitempty"`
	Records  int64     `json:"records" doc:"How many there were when it began."`
	Reached  int64     `json:"reached" doc:"How many are asked to be synced so far."`
}

// Plan is the rehearsal of a run.
type Plan struct {
	Counted string                `json:"counted,omitempty" doc:"Send it to begin the run that was rehearsed. Missing while the rehearsal is under way, or if it failed."`
	BegunAt time.Time             `json:"begun_at"`
	EndedAt time.Time             `json:"ended_at,omitzero"`
	Done    int64                 `json:"done" doc:"Records that are rehearsed."`
	Of      int64                 `json:"of"`
	Would   *automation.ApplyPlan `json:"would,omitempty" doc:"What the run would do, and whom it would mail."`
	Failed  string                `json:"failed,omitempty" doc:"Why it could not be rehearsed."`
}

// OneAutomation is the part of a request that names an automation.
type OneAutomation struct {
	ID string `path:"id" maxLength:"200"`
}

// reason is why somebody changes an automation.
type reason struct {
	OneAutomation
	Why string `query:"why" maxLength:"1000" doc:"For the history."`
}

type automationQuery struct {
	OneAutomation
	Showing
}

type newAutomation struct {
	Body struct {
		Text  string `json:"text" doc:"YAML of one automation."`
		Draft bool   `json:"draft,omitempty" doc:"Save it as a draft, which does nothing until it is published."`
		Why   string `json:"why,omitempty" maxLength:"1000" doc:"For the history."`
	}
}

type newText struct {
	OneAutomation
	Body struct {
		Text string `json:"text" doc:"YAML of the automation."`
		Base int64  `json:"base" doc:"The base of the automation as it was read. If it is another by now, nothing is saved (409)."`
		Why  string `json:"why,omitempty" maxLength:"1000" doc:"For the history."`
	}
}

type newState struct {
	OneAutomation
	Body struct {
		State   string `json:"state" enum:"on,paused,off"`
		Counted string `json:"counted,omitempty" maxLength:"40" doc:"The counted of the plan, to switch a paused automation on."`
		Why     string `json:"why,omitempty" maxLength:"1000" doc:"For the history."`
	}
}

// StateChange is what became of a request to switch an automation.
type StateChange struct {
	automation.Change
	Plan *Plan `json:"plan,omitempty" doc:"With what a paused automation catches up, and whom that mails. It is being counted, and nothing changed yet: see get-plan."`
}

type versionsQuery struct {
	OneAutomation
	Paging
	Showing
}

// OneVersion is the part of a request that names a version of an automation.
type OneVersion struct {
	OneAutomation
	Version int64 `path:"version" minimum:"1"`
}

type versionQuery struct {
	OneVersion
	Showing
}

type restoreRequest struct {
	OneVersion
	Why string `query:"why" maxLength:"1000" doc:"For the history."`
}

type diffQuery struct {
	OneAutomation
	Showing
	From int64 `query:"from" required:"true" minimum:"1"`
	To   int64 `query:"to" required:"true" minimum:"1"`
}

type applyRequest struct {
	OneAutomation
	Body struct {
		Counted string `json:"counted" maxLength:"40" doc:"The counted of the plan."`
	}
}

type importRequest struct {
	Draft   bool   `query:"draft" doc:"Save each as a draft."`
	Replace bool   `query:"replace" doc:"Delete the automations that are not in the file. What they made stays."`
	Why     string `query:"why" maxLength:"1000" doc:"For the history."`
	RawBody []byte `contentType:"application/yaml" doc:"The file, as the export writes it."`
}

func (a *API) automations() {
	const tag, one = "automations", "/automations/{id}"
	get(a, endpoint{id: "list-automations", path: "/automations", tag: tag, summary: "List the automations, without their texts"}, a.listAutomations)
	post(a, http.MethodPost, endpoint{
		id: "create-automation", path: "/automations", tag: tag, summary: "Create an automation",
		about: "A live one follows each record when that changes next.",
	}, func(ctx context.Context, in *newAutomation) (Automation, error) {
		id, err := a.Desk.Create(ctx, who(ctx), in.Body.Text, in.Body.Why, in.Body.Draft)
		return a.shown(ctx, id, err)
	})
	get(a, endpoint{id: "export-automations", path: "/automations.yaml", tag: tag, summary: "Export all automations as a file of YAML", operators: true},
		func(ctx context.Context, _ *struct{}) (file, error) {
			text, err := a.Desk.Automations.Export(ctx)
			return file(text), err
		})
	post(a, http.MethodPost, endpoint{
		id: "import-automations", path: "/automations.yaml", tag: tag, summary: "Import a file of automations, all or none",
		about: "Those that are there get a new version if their text differs, and the others are added.",
	}, func(ctx context.Context, in *importRequest) (Page[automation.Change], error) {
		if in.Draft && in.Replace {
			return Page[automation.Change]{}, huma.Error422UnprocessableEntity("drafts replace nothing: send draft or replace")
		}
		made, err := a.Desk.Import(ctx, who(ctx), "file", in.RawBody, in.Draft, in.Replace, in.Why)
		return Page[automation.Change]{Items: each(made, asItIs)}, err
	})
	get(a, endpoint{id: "get-automation", path: one, tag: tag, summary: "One automation with its text"},
		func(ctx context.Context, in *automationQuery) (Automation, error) {
			m, err := a.mask(ctx, in.Showing)
			if err != nil {
				return Automation{}, err
			}
			return a.automation(ctx, m, in.ID)
		})
	post(a, http.MethodPut, endpoint{
		id: "save-automation", path: one, tag: tag, summary: "Save a text as the live version",
		about: "Its draft is dropped. What exists stays as it is until its record changes, or until the automation is applied.",
	}, func(ctx context.Context, in *newText) (Automation, error) {
		return a.shown(ctx, in.ID, a.Desk.Save(ctx, who(ctx), in.ID, in.Body.Text, in.Body.Why, in.Body.Base, false))
	})
	post(a, http.MethodDelete, endpoint{
		id: "delete-automation", path: one, tag: tag, summary: "Delete an automation",
		about: "What it made stays, and its versions can be restored.",
	}, func(ctx context.Context, in *reason) (automation.Change, error) {
		return a.Desk.Delete(ctx, who(ctx), in.ID, in.Why)
	})
	post(a, http.MethodPut, endpoint{id: "save-draft", path: one + "/draft", tag: tag, summary: "Save a text as the draft"},
		func(ctx context.Context, in *newText) (Automation, error) {
			return a.shown(ctx, in.ID, a.Desk.Save(ctx, who(ctx), in.ID, in.Body.Text, in.Body.Why, in.Body.Base, true))
		})
	post(a, http.MethodDelete, endpoint{
		id: "discard-draft", path: one + "/draft", tag: tag, summary: "Discard the draft", about: "An automation that has nothing else is deleted.",
	}, func(ctx context.Context, in *reason) (automation.Change, error) {
		return a.Desk.DiscardDraft(ctx, who(ctx), in.ID, in.Why)
	})
	post(a, http.MethodPost, endpoint{id: "publish-draft", path: one + "/publish", tag: tag, summary: "Make the draft live"},
		func(ctx context.Context, in *reason) (automation.Change, error) {
			return a.Desk.Publish(ctx, who(ctx), in.ID, in.Why)
		})
	post(a, http.MethodPost, endpoint{id: "copy-automation", path: one + "/copy", tag: tag, summary: "Copy an automation to a new draft"},
		func(ctx context.Context, in *OneAutomation) (Automation, error) {
			id, err := a.Desk.Copy(ctx, who(ctx), in.ID)
			return a.shown(ctx, id, err)
		})
	post(a, http.MethodPut, endpoint{
		id: "set-state", path: one + "/state", tag: tag, summary: "Switch an automation on, paused or off",
		about: "What it made stays as it is. One that is paused catches up with all records once it is on. So the first request changes nothing: it answers with a plan, " +
			"which says with what the automation catches up and whom that mails. When the plan has ended, send the request again with its counted.",
	}, a.setState)
	a.history()
	a.applies()
}

func (a *API) setState(ctx context.Context, in *newState) (out StateChange, err error) {
	var counted time.Time
	if in.Body.Counted != "" {
		if counted, err = parseCounted(in.Body.Counted); err != nil {
			return out, err
		}
	}
	var counting bool
	out.Change, counting, err = a.Desk.SwitchState(ctx, who(ctx), in.ID, mapping.State(in.Body.State), in.Body.Why, counted)
	if err != nil || !counting {
		return out, err
	}
	plan, err := a.plan(ctx, &in.OneAutomation)
	out.Plan = &plan
	return out, err
}

// parseCounted reads the counted of a plan.
func parseCounted(text string) (time.Time, error) {
	begun, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, operate.ErrNoPlan
	}
	return time.Unix(0, begun), nil
}

func (a *API) history() {
	const tag, one = "automations", "/automations/{id}"
	get(a, endpoint{id: "list-versions", path: one + "/versions", tag: tag, summary: "The versions of an automation, newest first"},
		func(ctx context.Context, in *versionsQuery) (out Page[AutomationVersion], err error) {
			m, err := a.mask(ctx, in.Showing)
			if err != nil {
				return out, err
			}
			list, err := a.Desk.Automations.History(ctx, in.ID)
			if err != nil {
				return out, err
			}
			return pageOf(in.Paging, list, func(v automation.Version) string { return strconv.FormatInt(v.Version, 10) }, func(v automation.Version) AutomationVersion {
				v.Text = ""
				return showVersion(m, v)
			})
		})
	get(a, endpoint{id: "get-version", path: one + "/versions/{version}", tag: tag, summary: "One version with its text"},
		func(ctx context.Context, in *versionQuery) (out AutomationVersion, err error) {
			m, err := a.mask(ctx, in.Showing)
			if err != nil {
				return out, err
			}
			list, err := a.Desk.Automations.History(ctx, in.ID)
			if err != nil {
				return out, err
			}
			for _, v := range list {
				if v.Version == in.Version {
					return showVersion(m, v), nil
				}
			}
			return out, operate.ErrUnknown
		})
	post(a, http.MethodPost, endpoint{
		id: "restore-version", path: one + "/versions/{version}/restore", tag: tag, summary: "Make an earlier version live again, as a new one",
		about: "The automation stays on, paused or off. A deleted one comes back, and is off.",
	}, func(ctx context.Context, in *restoreRequest) (automation.Change, error) {
		return a.Desk.Restore(ctx, who(ctx), in.ID, in.Version, in.Why)
	})
	get(a, endpoint{id: "compare-versions", path: one + "/diff", tag: tag, summary: "Compare two versions line by line"},
		func(ctx context.Context, in *diffQuery) (out Comparison, err error) {
			m, err := a.mask(ctx, in.Showing)
			if err != nil {
				return out, err
			}
			lines, err := a.Desk.Automations.Diff(ctx, in.ID, in.From, in.To)
			out.Lines = each(lines, func(l automation.Line) automation.Line { return automation.Line{Mark: l.Mark, Text: m.Text(l.Text)} })
			return out, err
		})
}

func (a *API) applies() {
	const tag, one = "automations", "/automations/{id}"
	post(a, http.MethodPost, endpoint{
		id: "plan-apply", path: one + "/plan", tag: tag, summary: "Begin to rehearse what applying an automation to the records that exist would do, or switching a paused one on",
		about: "It reads the records, and sends nothing. Read the plan to see how far it is.",
	}, func(ctx context.Context, in *OneAutomation) (Plan, error) {
		if err := a.Desk.StartPlan(context.WithoutCancel(ctx), in.ID); err != nil {
			return Plan{}, err
		}
		return a.plan(ctx, in)
	})
	get(a, endpoint{
		id: "get-plan", path: one + "/plan", tag: tag, operators: true, summary: "The rehearsal: what would be created, replaced and removed, and who would be mailed",
		about: "It can be acted on for 15 minutes, as long as the automation does not change.",
	}, a.plan)
	act(a, http.MethodPost, endpoint{
		id: "apply-automation", path: one + "/apply", tag: tag, summary: "Apply an automation to the records that exist, or switch a paused one on, as it was rehearsed",
		about: "Of one that is off, it removes what it made.",
	}, func(ctx context.Context, in *applyRequest) error {
		begun, err := parseCounted(in.Body.Counted)
		if err != nil {
			return err
		}
		return a.Desk.ApplyCounted(ctx, who(ctx), in.ID, begun)
	})
	get(a, endpoint{id: "get-run", path: one + "/apply", tag: tag, summary: "How far the last run is"},
		func(ctx context.Context, in *OneAutomation) (Run, error) {
			run, ok, err := a.Desk.Automations.Progress(ctx, in.ID)
			if err == nil && !ok {
				err = operate.ErrUnknown
			}
			return showRun(run), err
		})
	act(a, http.MethodDelete, endpoint{id: "cancel-run", path: one + "/apply", tag: tag, summary: "Cancel the run", about: "What it has reached stays as it is."},
		func(ctx context.Context, in *OneAutomation) error {
			was, err := a.Desk.CancelApply(ctx, who(ctx), in.ID)
			if err == nil && !was {
				return huma.Error409Conflict("no run is under way")
			}
			return err
		})
}

func showRun(r store.Apply) Run {
	return Run{r.State, r.By, r.AskedAt.UTC(), utc(r.EndedAt), r.LocationID, r.Total, r.Queued}
}

func (a *API) listAutomations(ctx context.Context, in *struct {
	Paging
	Showing
},
) (out Page[Automation], err error) {
	m, err := a.mask(ctx, in.Showing)
	if err != nil {
		return out, err
	}
	list, err := a.Desk.Automations.List(ctx)
	if err != nil {
		return out, err
	}
	return pageOf(in.Paging, list, func(e automation.Entry) string { return e.ID }, func(e automation.Entry) Automation { return showAutomation(m, e) })
}

// automation reads one with its texts.
func (a *API) automation(ctx context.Context, m operate.Mask, id string) (out Automation, err error) {
	e, err := a.Desk.Automations.Show(ctx, id)
	if err != nil {
		return out, err
	}
	out = showAutomation(m, e)
	if e.Draft > 0 {
		text, err := a.Desk.Automations.Draft(ctx, id)
		if err != nil {
			return out, err
		}
		out.DraftText = m.Text(text)
	}
	return out, nil
}

// shown is an automation after an operator changed it, if the change was made.
func (a *API) shown(ctx context.Context, id string, err error) (Automation, error) {
	if err != nil {
		return Automation{}, err
	}
	return a.automation(ctx, operate.Mask{Shown: people.From(ctx).Role == people.Operator}, id)
}

func (a *API) plan(ctx context.Context, in *OneAutomation) (out Plan, err error) {
	p, ok, err := a.Desk.Plan(ctx, in.ID)
	switch {
	case err != nil:
		return out, err
	case !ok:
		return out, operate.ErrNoPlan
	}
	out = Plan{BegunAt: p.Begun.UTC(), EndedAt: utc(p.Ended), Done: p.Done, Of: p.Of, Would: p.Plan}
	if p.Plan != nil {
		out.Counted = strconv.FormatInt(p.Begun.UnixNano(), 10)
	}
	if p.Failed != nil {
		out.Failed = a.problem(ctx, "get-plan", p.Failed).Error()
	}
	return out, nil
}
