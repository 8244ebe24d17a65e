package console_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"milepost/internal/automation"
	"milepost/internal/console"
	"milepost/internal/people"
	"milepost/mapping"
)

const mine = "- name: Mine\n  on: contact.changed\n  do:\n    - contact: {}\n"

func TestAnAutomationIsCreatedCopiedAndDeleted(t *testing.T) {
	var l *automation.Library
	d := setup(t, func(cfg *console.Config) { l = cfg.Desk.Automations })
	d.wants(d.page(olivia, "/console/automations"), "New automation", "Import")
	d.wants(d.page(victor, "/console/automations"), "-New automation", "-Import")
	d.refuses("/console/automations/new", url.Values{"text": {"- name: Mine\n  on: <script>\n"}, "as": {"draft"}}, "Nothing was saved: 1 mistake", "Line 2", "-<script>")
	d.does("/console/automations/new", url.Values{"text": {mine}, "as": {"draft"}, "why": {"mine"}}, "/console/automations/mine?said=draft-saved")
	d.refuses("/console/automations/new", url.Values{"text": {mine}, "as": {"live"}}, "There is an automation with the id mine already")
	if l.Set().Find("mine") != nil {
		t.Error("a draft is live")
	}
	d.does("/console/automations/new", url.Values{"text": {strings.Replace(mine, "Mine", "New", 1)}, "as": {"live"}}, "/console/automations/%6eew?said=created")
	d.wants(d.page(olivia, "/console/automations/%6eew"), "Last change", "/console/automations/%6eew/delete")
	if a := l.Set().Find("new"); a == nil || a.State != mapping.StateOn {
		t.Errorf("created live it is %+v", a)
	}

	d.does("/console/automations/mine/copy", url.Values{}, "/console/automations/mine-copy?said=copied")
	d.does("/console/automations/mine/copy", url.Values{}, "/console/automations/mine-copy-2?said=copied")
	d.does(toContact+"/state", url.Values{"state": {"off"}}, toContact+"?said=switched-off")
	d.does(toContact+"/copy", url.Values{}, toContact+"-copy?said=copied")
	if e := d.text(l, "contact-to-calendarhero-contact-copy"); !strings.Contains(e.Text, "name: Contact to CalendarHero contact (copy)") || !strings.Contains(e.Text, "state: on") || !strings.Contains(e.Text, "# or calendarhero, or newest") {
		t.Errorf("the copy is\n%s", e.Text)
	}

	d.wants(d.page(olivia, toContact+"/delete"), "Nothing exists that it made.", "Delete this automation")
	if status, _ := d.ask(victor, "GET", toContact+"/delete", nil); status != http.StatusForbidden {
		t.Errorf("a viewer's question: %d", status)
	}
	d.does(toContact+"/delete", url.Values{"why": {"no need"}}, "/console/automations?said=deleted")
	if status, _ := d.ask(olivia, "GET", toContact, nil); status != http.StatusNotFound {
		t.Errorf("after it was deleted: %d", status)
	}
	d.wants(d.page(olivia, "/console/settings/audit"), "a draft of the automation mine", "created", "version 1 of the automation new", "copied", "the automation mine to the draft mine-copy", "deleted", "the automation contact-to-calendarhero-contact")
}

// upload sends a file.
func (d *desk) upload(path, name, text string) (int, string) {
	d.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", name)
	if err != nil {
		d.t.Fatal(err)
	}
	fmt.Fprint(part, text)
	form.Close()
	req := httptest.NewRequest("POST", path, &body)
	req.Header.Set("Content-Type", form.FormDataContentType())
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, req.WithContext(people.With(req.Context(), olivia)))
	if to := w.Header().Get("Location"); to != "" {
		return w.Code, to
	}
	return w.Code, w.Body.String()
}

func TestAutomationsAreImportedAsDrafts(t *testing.T) {
	var l *automation.Library
	d := setup(t, func(cfg *console.Config) { l = cfg.Desk.Automations })
	const path = "/console/automations/import"
	all, err := l.Export(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.wants(d.page(olivia, path), "Import as drafts", `type="file"`)
	d.refuses(path, url.Values{}, "Choose a file, or paste its text.")
	d.does(path, url.Values{"text": {all}}, "/console/automations?said=same")
	changed := strings.Replace(all, "two_way: true", "two_way: false", 1) + mine
	d.refuses(path, url.Values{"text": {changed + "- name: Mine\n"}}, "Nothing was saved: 2 mistakes", "is the name of the automation in line", "on</code>: is required")
	status, to := d.upload(path, "mine.yaml", strings.ReplaceAll(changed, "\n", "\r\n"))
	if status != http.StatusSeeOther || to != "/console/automations?state=draft&said=imported" {
		t.Fatalf("%d %s", status, to)
	}
	if e := d.text(l, "contact-to-calendarhero-contact"); e.Draft != 2 || !strings.Contains(e.Text, "two_way: true") {
		t.Errorf("what was imported is %+v", e)
	}
	d.wants(d.page(olivia, to), "mine", "Contact to CalendarHero contact", "-Task to calendar task")
	if status, page := d.upload(path, "logo.png", "\xff\xd8\x00"); status != http.StatusUnprocessableEntity || !strings.Contains(page, "plain text") {
		t.Errorf("an image: %d %s", status, page)
	}
	d.wants(d.page(olivia, "/console/settings/audit"), "saved", "a draft of the automation mine", "a draft of the automation contact-to-calendarhero-contact")
}

func TestAutomationsAreFilteredAndPaged(t *testing.T) {
	var l *automation.Library
	d := setup(t, func(cfg *console.Config) { l = cfg.Desk.Automations })
	var text strings.Builder
	for i := range 250 {
		fmt.Fprintf(&text, "- {name: Number %03d, on: contact.changed, state: paused, do: [contact: {}]}\n", i)
	}
	if _, err := l.Import(t.Context(), "many", []byte(text.String()), true, automation.By{}); err != nil {
		t.Fatal(err)
	}
	const list = "/console/automations"
	d.wants(d.page(olivia, list), "Number 099", "-Number 100", "?after=number-099")
	d.wants(d.page(olivia, list+"?after=number-099"), "-Number 099", "Number 100", "Number 199")
	d.wants(d.page(olivia, list+"?after=number-199"), "Number 249", "-Next page")
	d.wants(d.page(olivia, list+"?q=NUMBER+007&state=paused"), "Number 007", "-Number 008")
	d.wants(d.page(olivia, list+"?state=on"), "No automation matches.")
}
