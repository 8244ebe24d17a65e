package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"milepost/mapping"
)

func TestAStartWithAFileThatInvitesCustomersMailsNone(t *testing.T) {
	w := setup(t, logged)
	id := w.milestone(w.now().AddDate(0, 0, 20).Format(time.DateOnly))
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(mapping.Recipes()), "invite: owner", "invite: contact")), 0o600); err != nil {
		t.Fatal(err)
	}
	w.stop()
	w.cfg.Automations = file
	w.start()
	w.wantLine(`"warn"`, `"item":"milestone-to-calendar-event/1"`, `"requests":1`, "milepost invites")
	w.must(w.hl.AddTags(id, "vip"))
	w.settle()
	w.must(w.hl.SetCustomField(id, "contact.milestone", "Inspection"))
	w.settle()
	for _, m := range w.ch.Mails() {
		if m.To != ownerMail {
			t.Errorf("%s was mailed: %+v", m.To, m)
		}
	}
	if r := w.ch.Requests(); len(r) != 1 || !strings.HasPrefix(r[0].Subject, "Inspection") {
		t.Errorf("the requests are %+v", r)
	}
}
