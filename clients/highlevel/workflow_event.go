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

// WorkflowEventType is Milepost's name for the events of a workflow's Webhook action, which
// have no type of their own.
const WorkflowEventType = "WorkflowWebhook"

// WorkflowEvent is the body of a workflow's Webhook or Custom Webhook action. Unlike an
// app's event, it is the record itself: no API returns it. Every field may be empty.
//
// The Webhook action sends a fixed snapshot of the contact, with the action's Custom Data
// under customData. The contact's custom fields are at the top level under their display
// names ("Closing Date"). A Custom Webhook sends what its author wrote (Milepost's
// reference, highlevel.md §5, from captures).
type WorkflowEvent struct {
	ContactID    string
	LocationID   string // the tenant named in the body
	WorkflowID   string
	WorkflowName string
	MilestoneID  string // from the Custom Data; distinguishes several milestones of one workflow
	Tags         []string
	// CustomData is the action's Custom Data by key. Each value is also under the word that
	// HighLevel makes of its name: "Milestone Title" is also milestone_title. In a body
	// without customData, as of a Custom Webhook, all keys count as Custom Data.
	CustomData map[string]any
	// Fields is the rest of a snapshot by key: first_name, "Closing Date", and the
	// trigger's record (task, note, calendar, …). For any other body, it is the same as
	// CustomData.
	Fields map[string]any
}

// ParseWorkflowEvent reads a body. HighLevel writes an empty value in several ways: empty
// text, null and the text "null" all count as missing. A top-level id is never used as the
// contact's, because it may belong to the trigger's record.
func ParseWorkflowEvent(body []byte) (WorkflowEvent, error) {
	o, err := parseEnvelope(body)
	if err != nil {
		return WorkflowEvent{}, err
	}
	nested := func(key string) clients.Object {
		inner, _ := clients.ParseObject(o.Raw(key)) // nil if it is not an object; nil has no fields
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

// RecordID identifies what the body is the current state of: a contact in a workflow, and,
// if the Custom Data has a milestone_id, one of its milestones. Every body about the same
// thing has the same RecordID. It is "" if the body has neither a contact nor a
// milestone_id, because bodies about different things could then not be distinguished.
func (e WorkflowEvent) RecordID() string {
	if e.ContactID == "" && e.MilestoneID == "" {
		return ""
	}
	id := e.ContactID + "/" + e.WorkflowID // neither holds a slash
	if e.MilestoneID != "" {
		sum := sha256.Sum256([]byte(e.MilestoneID)) // may be any text, also personal data
		id += "/" + hex.EncodeToString(sum[:8])
	}
	return id
}

// WorkflowForm turns the form-encoded body of a Custom Webhook into a JSON object with the
// same keys. Its error does not quote the body.
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

// plainID is id, but treats the text "null" as missing.
func plainID(o clients.Object, keys ...string) string {
	for _, key := range keys {
		if found := notNull(id(o, key)); found != "" {
			return found
		}
	}
	return ""
}

// notNull returns "" for the text "null", which HighLevel writes for an empty value
// (observed), and trims spaces.
func notNull(s string) string {
	if s = strings.TrimSpace(s); s == "null" {
		return ""
	}
	return s
}

// byWord returns the values under the words that HighLevel makes of the fields' names:
// "Milestone Title" becomes milestone_title. If two names make the same word, the name that
// equals the word wins.
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

// values decodes an object, and leaves out empty values.
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

// commaJoined reads tags that the snapshot joins with commas.
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
