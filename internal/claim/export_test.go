package claim

import "time"

// Later lets time pass for the keeper.
func (k *Keeper) Later(d time.Duration) {
	for _, p := range k.known {
		p.mu.Lock()
		p.checked, p.until, p.quiet = p.checked.Add(-d), p.until.Add(-d), p.quiet.Add(-d)
		if !p.asked.IsZero() {
			p.asked = p.asked.Add(-d)
		}
		p.mu.Unlock()
	}
}

// Die releases the locks as the end of the process would, and leaves the files.
func (k *Keeper) Die() {
	for _, p := range k.known {
		if p.file != nil {
			_ = p.file.lock.Unlock()
		}
	}
}
