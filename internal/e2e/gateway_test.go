package e2e_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"milepost/internal/sandbox/fakehttp"
)

// Gateways, proxies and wrong base URLs: what they answer in a vendor's place says
// nothing about any record.

// people makes contacts with a milestone each, and waits for their requests.
func (w *world) people(n int) (ids []string) {
	w.t.Helper()
	for i := range n {
		id := w.contact("Jane", fmt.Sprint("Doe", i), fmt.Sprintf("jane%d@example.com", i))
		w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-05-02"}))
		ids = append(ids, id)
	}
	w.settle()
	w.eventually("all have their request", func() bool { return len(w.ch.Requests()) == n })
	return ids
}

func TestAGatewayInHighLevelsPlaceRemovesNothing(t *testing.T) {
	together(t)
	for _, a := range []fakehttp.GatewayAnswer{ // the clients' tests play all that there are
		{Status: http.StatusNotFound},
		{Status: http.StatusNotFound, Body: `{"statusCode":404,"message":"Not Found"}`},
		{Status: http.StatusNotFound, Body: `{"message":"no Route matched with those values"}`},
		{Status: http.StatusGone, Body: `<!DOCTYPE html><title>Gone</title>`},
		{Status: http.StatusOK, Body: `[]`},
	} {
		t.Run(fmt.Sprint(a.Status, a.Body), func(t *testing.T) {
			w := setup(t)
			ids := w.people(5)
			mails := len(w.ch.Mails())
			w.ch.ResetCalls()
			gateway := w.hl.Faults().Gateway(a.Status, a.Body)
			for range 3 {
				for _, id := range ids {
					w.postSigned(event("ContactUpdate", id))
				}
				w.advance(30 * time.Second)
			}
			w.pause()
			if gateway.Hits() == 0 {
				t.Error("HighLevel was not asked")
			}
			w.hl.Faults().Clear()
			w.advance(time.Minute)
			w.settle()
			calls := w.ch.Calls()
			if calls["DELETE /meeting/tasks/{id}"]+calls["DELETE /contact/{id}"]+calls["POST /meeting/tasks"]+calls["POST /contact"] != 0 || len(w.ch.Mails()) != mails {
				t.Errorf("calls %v, %d mails before and %d after", calls, mails, len(w.ch.Mails()))
			}
		})
	}
}

func TestWhatAGatewayInCalendarHerosPlaceStoppedIsWorkedWithinAMinute(t *testing.T) {
	together(t)
	for _, a := range []fakehttp.GatewayAnswer{
		{Status: http.StatusFound},
		{Status: http.StatusMethodNotAllowed},
		{Status: http.StatusNotFound},
		{Status: http.StatusForbidden, Body: "<html>"},
		{Status: http.StatusNotFound, Body: `{"statusCode":404,"error":"Not Found","message":"Not Found"}`},
	} {
		t.Run(fmt.Sprint(a.Status, a.Body), func(t *testing.T) {
			w := setup(t, logged)
			w.people(1)
			w.ch.Faults().Gateway(a.Status, a.Body)
			id := w.contact("Late", "Comer", "late@example.com")
			w.must(w.hl.SetCustomFields(id, map[string]any{"contact.milestone": "Closing", "contact.milestone_date": "2030-06-03"}))
			for range 20 {
				w.advance(time.Minute)
			}
			w.ch.Faults().Clear()
			w.advance(50 * time.Second)
			w.settle()
			if len(w.ch.Requests()) != 2 {
				t.Errorf("%d requests, want 2; %s", len(w.ch.Requests()), w.lastOutcome())
			}
			if began, over := len(w.log.lines("outage began")), len(w.log.lines("outage over")); began != 1 || over != 1 {
				t.Errorf("the outage began %d times and was over %d times in the log: %v", began, over, w.log.lines())
			}
		})
	}
}

func TestManyRecordsDeletedWithoutEventsWaitUntilAPersonAgrees(t *testing.T) {
	onEachBackend(t, func(t *testing.T, w *world) {
		ids := w.people(5)
		mails := len(w.ch.Mails())
		w.quietly(func() {
			for _, id := range ids[1:] {
				w.must(w.hl.DeleteContact(id))
			}
		})
		for _, id := range ids {
			w.postSigned(event("ContactUpdate", id))
		}
		w.pause() // for the first look
		w.advance(70 * time.Second)
		w.eventually("they wait for a person", func() bool {
			list, err := w.app.Store().WaitingRemovals(t.Context())
			return err == nil && len(list) == 4
		})
		if len(w.ch.Requests()) != 5 || len(w.ch.Mails()) != mails {
			t.Errorf("%d requests are left of 5, %d mails were sent", len(w.ch.Requests()), len(w.ch.Mails())-mails)
		}
		n, err := w.app.Store().AllowRemovals(t.Context(), location, w.now())
		w.must(err)
		w.settle()
		left := 0
		for i := range ids {
			left += len(w.contacts(fmt.Sprintf("jane%d@example.com", i)))
		}
		if n != 4 || len(w.ch.Requests()) != 1 || left != 1 {
			t.Errorf("%d were allowed; %d requests and %d contacts are left, want one each", n, len(w.ch.Requests()), left)
		}
	})
}
