package guard

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A buffer that a Proven sender took may be in use for long, and must be free for the
// garbage collector after that.
func TestABufferThatIsTakenIsNotKept(t *testing.T) {
	const bytes = 2 * small
	b := buffers{}
	b.put(make([]byte, bytes+1))
	if got := b.take(bytes, bytes); len(got) != bytes+1 {
		t.Fatalf("the buffer has %d bytes", len(got))
	}
	if of := b[bytes]; of[:cap(of)][0] != nil {
		t.Error("the list still refers to the buffer that was taken")
	}
}

// A client that announces a large body and sends none must cost little, however many do. Of
// a body without a length, all that is small fits into what is read first: otherwise each
// would reserve as much as the largest.
func TestLittleIsReadBeforeMemoryIsReserved(t *testing.T) {
	for name, test := range map[string]struct {
		length int64
		want   int
	}{
		"small":   {3000, 3001},
		"large":   {1 << 20, start + 1},
		"chunked": {-1, small + 1},
	} {
		t.Run(name, func(t *testing.T) {
			body := &firstRead{}
			r := httptest.NewRequest(http.MethodPost, "/", body)
			r.ContentLength = test.length
			if _, _, err := New(1, 1<<20).ReadBody(httptest.NewRecorder(), r, 1<<20); !errors.Is(err, errFirstRead) {
				t.Fatal(err)
			}
			if body.bytes != test.want {
				t.Errorf("%d bytes were read first, want %d", body.bytes, test.want)
			}
		})
	}
}

var errFirstRead = errors.New("the first read")

// firstRead notes how much is asked for, and fails.
type firstRead struct{ bytes int }

func (f *firstRead) Read(p []byte) (int, error) {
	f.bytes = len(p)
	return 0, errFirstRead
}
