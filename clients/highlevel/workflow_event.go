package highlevel

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"milepost/clients"
)

// WorkflowEventType is the name given to what a workflow's Webhook action
// sends: it has no type of its own.
const WorkflowEventType = "WorkflowWebhook"

// WorkflowEvent is the body of a workflow's Webhook or Custom Webhook action.
// Unlike an app's event it is the record itself: no API returns it. Every
// field may be empty.
//
// The Webhook action sends a fixed snapshot of the contact with the Custom
// Data of the action under customData; the contact's custom fields are at the
// top level by their display names ("Closing Date"). A Custom Webhook sends
// what its author wrote (Milepost's reference, highlevel.md §5, from captures).
type WorkflowEvent struct {
	ContactID    string
	LocationID   string // the tenant that the body names
	WorkflowID   string
	WorkflowName string
	MilestoneID  string // of the Custom Data: tells several milestones of one workflow apart
	Tags         []string
	// CustomData is the action's Custom Data by key, and also by the word that
	// HighLevel makes of a name: "Milestone Title" is there as milestone_title
	// too. In a body without customData, a Custom Webhook's, all of its own keys
	// serve as such.
	CustomData map[string]any
	// Fields is the rest of a snapshot by its key: first_name, "Closing Date", and
	// the record of the trigger (task, note, calendar, …). Of any other body it is
	// the same as CustomData.
	Fields map[string]any
}

// ParseWorkflowEvent reads a body. HighLevel writes an empty value in several
// ways: empty text, null and the text "null" all count as missing. A top-level
// id is never taken for the contact's: it may be of the trigger's record.
func ParseWorkflowEvent(body []byte) (WorkflowEvent, error) {
	o, err := parseEnvelope(body)
	if err != nil {
		return WorkflowEvent{}, err
	}
	nested := func(key string) clients.Object {
		inner, _ := clients.ParseObject(o.Raw(key)) // nil, which has no fields, where it is none
		return inner
	}
	data, snapshot := nested("customData"), true
	if data == nil {
		data, snapshot = o, false
	}
	words, workflow := byWord(data), nested("workflow")
	e := WorkflowEvent{
		ContactID: cmp.Or(plainID(o, "contact_id", "contactId"), plainID(words, "contact_id", "contactid"), plainID(nested("contact"), "id")),
		LocationID: cmp.Or(plainID(nested("location"), "id"), plainID(o, "locationId", "location_id"),
			plainID(words, "location_id", "locationid")),
		WorkflowID: cmp.Or(plainID(workflow, "id"), plainID(o, "workflowId", "workflow_id"),
			plainID(words, "workflow_id", "workflowid")),
		WorkflowName: notNull(workflow.Text("name")),
		MilestoneID:  cmp.Or(notNull(words.Text("milestone_id")), notNull(words.Text("milestoneid"))),
		Tags:         commaJoined(o),
		CustomData:   values(data),
		Fields:       map[string]any{},
	}
	for word, v := range values(words) {
		if _, taken := e.CustomData[word]; !taken {
			e.CustomData[word] = v
		}
	}
	if e.Fields = e.CustomData; snapshot {
		rest := maps.Clone(o)
		for _, key := range []string{"customData", "workflow", "location"} {
			delete(rest, key)
		}
		e.Fields = values(rest)
	}
	return e, nil
}

// RecordID is what the body is the current state of: one contact in one
// workflow, and one milestone of several where the Custom Data tells them
// apart by milestone_id. It is the same for every body about the same thing.
// It is "" if the body names neither a contact nor a milestone_id: then
// bodies about different things could not be told apart.
func (e WorkflowEvent) RecordID() string {
	if e.ContactID == "" && e.MilestoneID == "" {
		return ""
	}
	id := e.ContactID + "/" + e.WorkflowID // neither holds a slash
	if e.MilestoneID != "" {
		sum := sha256.Sum256([]byte(e.MilestoneID)) // any text, which may be personal
		id += "/" + hex.EncodeToString(sum[:8])
	}
	return id
}

// WorkflowForm turns the form-encoded body of a Custom Webhook into the JSON
// object with the same keys. Its error does not quote the body.
func WorkflowForm(body []byte) ([]byte, error) {
	form, err := url.ParseQuery(strings.TrimSpace(string(body)))
	switch {
	case err != nil:
		return nil, errors.New("the body is no form: it is not url-encoded")
	case len(form) == 0:
		return nil, errors.New("the form is empty")
	}
	object := make(map[string]any, len(form))
	for key, list := range form {
		if !utf8.ValidString(key + strings.Join(list, "")) {
			return nil, errors.New("the form is not UTF-8")
		}
		if object[key] = list[0]; len(list) > 1 {
			object[key] = list
		}
	}
	return json.Marshal(object)
}

// plainID is id, but for the text "null".
func plainID(o clients.Object, keys ...string) string {
	for _, key := range keys {
		if found := notNull(id(o, key)); found != "" {
			return found
		}
	}
	return ""
}

// notNull takes the text "null", which HighLevel writes for an empty value
// (observed), for what it means, and the blanks around a text away.
func notNull(s string) string {
	if s = strings.TrimSpace(s); s == "null" {
		return ""
	}
	return s
}

// byWord gives the values under what HighLevel itself makes of a field's name:
// "Milestone Title" is milestone_title. Where two names make the same word, the
// one that is written like it wins.
func byWord(o clients.Object) clients.Object {
	words := make(clients.Object, len(o))
	for _, key := range slices.Sorted(maps.Keys(o)) {
		word := strings.Trim(notWord.ReplaceAllString(strings.ToLower(key), "_"), "_")
		if _, taken := words[word]; !taken || key == word {
			words[word] = o[key]
		}
	}
	return words
}

var notWord = regexp.MustCompile(`[^\p{L}\p{N}]+`)

// values decodes an object, without what is empty.
func values(o clients.Object) map[string]any {
	out := make(map[string]any, len(o))
	for key, raw := range o {
		var v any
		if json.Unmarshal(raw, &v) != nil || v == nil {
			continue
		}
		if s, ok := v.(string); !ok || notNull(s) != "" {
			out[strings.TrimSpace(key)] = v
		}
	}
	return out
}

// commaJoined reads tags, which the snapshot joins by commas.
func commaJoined(o clients.Object) (tags []string) {
	for _, text := range o.Texts("tags") {
		for tag := range strings.SplitSeq(text, ",") {
			if tag = notNull(tag); tag != "" {
				tags = append(tags, tag)
			}
		}
	}
	return tags
}
