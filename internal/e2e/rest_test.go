package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"milepost/internal/app"
	hlfake "milepost/internal/sandbox/highlevel"
)

func TestABurstOfNotesCostsOneReplacementAlsoOverARestart(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	onEachBackend(t, func(t *testing.T, w *world) {
		w.stop()
		w.cfg.DescriptionAfter = app.Wait(5 * time.Minute)
		w.start()
		id := w.milestone(w.now().AddDate(0, 0, 20).Format(time.DateOnly))
		mails := 1
		for burst, wait := range []func(time.Duration){w.startLater, w.advance} {
			var last string
			for i := range 2 {
				last = fmt.Sprintf("Note %d of burst %d", i, burst)
				_, err := w.hl.CreateNote(hlfake.Note{ContactID: id, Body: last})
				w.must(err)
				w.settle()
			}
			if n := len(w.ch.Mails()); n != mails {
				t.Errorf("%d mails while notes are written, want %d", n, mails)
			}
			wait(6 * time.Minute)
			w.eventually("the request has the last note", func() bool {
				r := w.ch.Requests()
				return len(r) == 1 && strings.Contains(r[0].Description, last)
			})
			if mails += 2; len(w.ch.Mails()) != mails {
				t.Errorf("%d mails after a burst of notes, want %d", len(w.ch.Mails()), mails)
			}
		}
	})
}
