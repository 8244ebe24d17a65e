package connection

import (
	"context"
	"fmt"
	"path"
	"slices"

	"milepost/internal/secret"
	"milepost/internal/store"
)

// sealAgain encrypts a secret under the first key, unless it changed since it was read.
func (r *Registry) sealAgain(ctx context.Context, s store.Secret) (replaced bool, err error) {
	plain, err := r.Ring.Open(s.Sealed, s.Name)
	if err != nil {
		return false, err
	}
	sealed, err := r.Ring.Seal(plain, s.Name)
	if err != nil {
		return false, err
	}
	return r.Store.ReplaceSecret(ctx, store.Secret{Name: s.Name, Sealed: s.Sealed}, sealed, r.Now())
}

// EncryptAgain encrypts every secret under the ring's first key that is under
// another one, and returns how many. Secrets may change meanwhile: what another
// process wrote is never overwritten.
func (r *Registry) EncryptAgain(ctx context.Context) (n int, err error) {
	const page = 100
	probe, err := r.Ring.Seal(nil, probeName)
	if err == nil {
		err = r.Store.ReplaceKeyProbe(ctx, probe)
	}
	if err != nil {
		return 0, err
	}
	for {
		list, err := r.Store.SecretsNotUnder(ctx, r.Ring.Primary(), page)
		if err != nil || len(list) == 0 {
			return n, err
		}
		changed := 0
		for _, s := range list {
			replaced, err := r.sealAgain(ctx, s)
			if err != nil {
				return n, err
			}
			if replaced {
				changed++
			}
		}
		if n += changed; changed == 0 {
			return n, fmt.Errorf("other processes write %d secrets under another key; restart them, then rotate again", len(list))
		}
	}
}

// Lost lists the secrets whose key is lost.
func (r *Registry) Lost(ctx context.Context) (names []string, err error) {
	const all = 1 << 20
	list, err := r.Store.SecretsNotUnder(ctx, "", all)
	for _, s := range list {
		if !r.Ring.Has(secret.KeyID(s.Sealed)) {
			names = append(names, s.Name)
		}
	}
	return names, err
}

// DropLost drops every secret whose key is lost, and returns how many, and the
// locations that have to be connected again because of it.
func (r *Registry) DropLost(ctx context.Context) (n int, locations []string, err error) {
	names, err := r.Lost(ctx)
	if err != nil {
		return 0, nil, err
	}
	for _, name := range names {
		if err := r.Store.DropSecret(ctx, name); err != nil {
			return n, locations, err
		}
		n++
		id := path.Base(name)
		if name == appSettingsName || name == companyGrant(id) || name == hookName(id) || slices.Contains(locations, id) {
			continue
		}
		locations = append(locations, id)
		if _, err := r.Store.MoveConnection(ctx, store.Move{
			LocationID: id, From: []store.ConnectionState{store.ConnectionPending, store.ConnectionActive, store.ConnectionSuspended},
			To: store.ConnectionBroken, Problem: "its tokens are lost with their key; connect the location again",
		}, r.Now()); err != nil {
			return n, locations, err
		}
	}
	probe, err := r.Ring.Seal(nil, probeName)
	if err == nil {
		err = r.Store.ReplaceKeyProbe(ctx, probe)
	}
	return n, locations, err
}
