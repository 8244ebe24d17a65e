package connection

import "context"

type Account struct {
	ID        string
	Locations []string
}

func (a Account) Home() string { return a.Locations[0] }

func (r *Registry) Accounts(ctx context.Context) ([]Account, error) {
	list, err := r.Store.Connections(ctx)
	by := map[string]*Account{}
	var out []Account
	for _, c := range list {
		conn, err := r.Lookup(ctx, c.LocationID)
		if err != nil {
			continue
		}
		if by[conn.Account] == nil {
			by[conn.Account] = &Account{ID: conn.Account}
		}
		by[conn.Account].Locations = append(by[conn.Account].Locations, c.LocationID)
	}
	for _, a := range by {
		out = append(out, *a)
	}
	return out, err
}
