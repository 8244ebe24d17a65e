package console_test

import (
	"net/http"
	"strings"
	"testing"

	"milepost/internal/catalog"
	"milepost/internal/testenv"
	"milepost/mapping"
)

func TestTheCatalogueIsSearchedAndFiltered(t *testing.T) {
	d := setup(t)
	const list = "/console/catalog"
	d.wants(d.page(victor, list), `href="/console/catalog/contact.created"`, `href="/console/catalog/highlevel.create_contact"`, `href="/console/catalog/calendarhero.list_meeting_types"`,
		"Upload a file into a custom field", "An automation has no file to send.", "-Show personal data")
	d.wants(d.page(olivia, list+"?q=create+CONTACT&vendor=highlevel&kind=operation&group=contacts"), "highlevel.create_contact", `value="highlevel" selected`, `value="contacts" selected`, "-calendarhero.", "-contact.created")
	d.wants(d.page(olivia, list+"?kind=trigger"), "contact.created", "-highlevel.create_contact<")
	d.wants(d.page(olivia, list+"?q=%3Cb%3Enothing"), "Nothing in the catalogue matches.", "&lt;b&gt;nothing", "-<b>nothing")
	d.wants(d.page(olivia, list+"?vendor=x&kind=x&group=x"), "Nothing in the catalogue matches.")
}

func TestEachEntryOfTheCatalogueHasAPage(t *testing.T) {
	testenv.Long(t)
	d := setup(t)
	for _, e := range catalog.Entries() {
		d.wants(d.page(victor, "/console/catalog/"+e.Name), "Can it be repeated?", "-ZgotmplZ")
	}
	d.wants(d.page(olivia, "/console/catalog/highlevel.create_contact"), "contacts.write", "Milepost sends it once", "customFields[].field_value", "operation: highlevel.create_contact", "filled in by Milepost")
	if status, _ := d.ask(olivia, "GET", "/console/catalog/no.such", nil); status != http.StatusNotFound {
		t.Errorf("an entry that there is not: %d", status)
	}
}

// pasted is the example on the page of an entry.
func (d *desk) pasted(name string) string {
	_, after, _ := strings.Cut(d.page(olivia, "/console/catalog/"+name), `aria-labelledby="example">`)
	_, after, _ = strings.Cut(after, `<pre tabindex="0" aria-labelledby="example">`)
	text, _, _ := strings.Cut(after, "</pre>")
	return strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&lt;", "<", "&gt;", ">", "&#43;", "+", "&amp;", "&").Replace(text)
}

func TestTheExamplesOfTheCatalogueCanBePasted(t *testing.T) {
	testenv.Long(t)
	d := setup(t)
	for _, e := range catalog.Entries() {
		text := d.pasted(e.Name)
		switch {
		case e.Reserved != "":
			continue
		case e.Kind == catalog.Operation:
			text = "- name: Try it\n  on: contact.changed\n  do:\n    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ") + "\n"
		}
		if _, err := mapping.Load("example", []byte(text)); err != nil {
			t.Errorf("%s: %v\n%s", e.Name, err, text)
		}
	}
}
