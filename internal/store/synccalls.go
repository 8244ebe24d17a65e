package store

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// SyncCalls are the calls of a sync, and whom CalendarHero or HighLevel mailed because of
// them. They hold personal data.
type SyncCalls struct {
	Calls  []SyncCall `json:"calls,omitempty"`
	More   int        `json:"more,omitempty"` // calls for which there was no room
	Mailed []Mailed   `json:"mailed,omitempty"`
}

// SyncCall is a call to a vendor.
type SyncCall struct {
	API       string        `json:"api"`
	Operation string        `json:"operation"` // in words
	Method    string        `json:"method"`
	Path      string        `json:"path"`
	Writes    bool          `json:"writes,omitempty"`
	Began     time.Time     `json:"began"`
	Took      time.Duration `json:"took"`             // with its retries and waits
	Queued    time.Duration `json:"queued,omitempty"` // of it, for a turn under the rate limit
	Status    int           `json:"status,omitempty"` // 0 = no answer came
	Request   string        `json:"request,omitempty"`
	Answer    string        `json:"answer,omitempty"`
	Cut       bool          `json:"cut,omitempty"` // not all of both is kept
	Failed    string        `json:"failed,omitempty"`
}

// Mailed says whom a vendor mailed, and what.
type Mailed struct {
	To   string `json:"to"`
	What string `json:"what"` // invitation, cancellation, or message
	Item string `json:"item,omitempty"`
}

// compressors are reused: each holds some 600 KB.
var compressors = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed) // the level is a valid one
	return w
}}

// Packed returns the calls as they are stored; nil if there is nothing to say.
func (c SyncCalls) Packed() []byte {
	if len(c.Calls)+len(c.Mailed) == 0 {
		return nil
	}
	text, err := json.Marshal(c)
	if err != nil {
		return nil
	}
	var b bytes.Buffer
	w := compressors.Get().(*flate.Writer) // the pool has no others
	defer compressors.Put(w)
	w.Reset(&b)
	_, _ = w.Write(text) // a buffer takes all
	_ = w.Close()
	return b.Bytes()
}

// longestCalls bounds what is read of the calls of a sync, in bytes.
const longestCalls = 1 << 20

func unpackCalls(stored []byte) (c SyncCalls, err error) {
	if len(stored) == 0 {
		return c, nil
	}
	text, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(stored)), longestCalls))
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		return c, fmt.Errorf("read the calls of a sync: %w", err)
	}
	return c, nil
}
