package console_test

import (
	"strings"
	"testing"
	"time"

	"milepost/internal/store"
)

func TestThePagesOfARecordSpeakOfTheRecord(t *testing.T) {
	d := setup(t)
	d.seed()
	e := store.Entity{LocationID: "loc", Kind: "task", ID: "t7"}
	d.deliver(store.Delivery{ID: 5, Type: "TaskCreate", Entity: e, ContactID: "c1"})
	d.finish(store.Finish{
		Entity: e, ContactID: "c1", Outcome: store.Done, Now: d.now.Add(1500 * time.Millisecond),
		Considered: []store.Considered{
			{Automation: "task-to-calendar-task", Wants: 1},
			{Automation: "a-booked-meeting", Meeting: "m1", Reason: "the condition is not met", Condition: "not meeting.ours"},
			{Automation: "a-moved-meeting", Meeting: "m1", Reason: "the condition is not met", Condition: "not meeting.ours"},
			{Automation: "a-completed-meeting", Meeting: "m1", Wants: 1},
		},
		Timeline: []store.TimelineEntry{{At: d.now, Entity: e, ContactID: "c1", What: "highlevel note created", Detail: "Call back"}},
	})
	if err := d.store.SaveLink(t.Context(), store.Link{Entity: e, Item: "task-to-calendar-task/1", ItemKind: "task", State: store.LinkLive, ObjectID: "o7", Title: "Call Jane back"}, d.now, nil); err != nil {
		t.Fatal(err)
	}
	page := d.page(olivia, "/console/deliveries/5")
	d.wants(page, "2 automations about meetings did not apply</summary>", "Milepost created the note in HighLevel", "-highlevel note created")
	own, folded, _ := strings.Cut(page, "<summary>2 automations about meetings")
	if !strings.Contains(own, "a-completed-meeting") || strings.Contains(own, "a-moved-meeting") || !strings.Contains(folded, "a-moved-meeting") {
		t.Errorf("the automations about meetings that did not apply stand among the others:\n%s", page)
	}
	d.wants(page, `>after `, " s</time>")
	d.wants(d.page(olivia, "/console/contacts/loc/c1"), "<strong>Call Jane back</strong> <code>t7</code>", "Milepost created the note in HighLevel", "-highlevel note created")
	d.wants(d.page(victor, "/console/contacts/loc/c1"), "-Call Jane back", "<code>t7</code>")
}
