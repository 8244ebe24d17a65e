package guard

import "testing"

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
