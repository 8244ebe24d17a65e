package app_test

import (
	"bytes"
	"strings"
	"sync"

	"milepost/internal/sandbox"
)

// logbook keeps the log of a Milepost.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// lines returns the lines that hold all of the words.
func (l *logbook) lines(words ...string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
lines:
	for line := range strings.Lines(l.text.String()) {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue lines
			}
		}
		found = append(found, line)
	}
	return found
}

func logged(w *world, _ *sandbox.HighLevelConfig) { w.log = &logbook{} }
