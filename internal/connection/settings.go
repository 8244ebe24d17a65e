package connection

import (
	"context"
	"errors"
	"strings"

	"milepost/clients/highlevel"
)

// AppSettings are what a person may set in the console in place of the environment:
// how the vendors reach this Milepost, and the app of HighLevel's Marketplace.
type AppSettings struct {
	PublicURL    string
	ClientID     string
	ClientSecret string
}

const appSettingsName = "settings/app"

// stored are the settings that were read last.
type storedSettings struct {
	AppSettings
	sealed string
	app    *highlevel.App
}

// MarketplaceApp is the app by which locations are connected by OAuth; nil = there is none. The
// environment's goes before the one that a person set.
func (r *Registry) MarketplaceApp() *highlevel.App {
	if r.App != nil {
		return r.App
	}
	if s := r.settings.Load(); s != nil {
		return s.app
	}
	return nil
}

// Address is how the vendors reach the public listener; "" = not known.
func (r *Registry) Address() string {
	address := r.PublicURL
	if s := r.settings.Load(); s != nil && address == "" {
		address = s.PublicURL
	}
	return strings.TrimSuffix(address, "/")
}

// ReadSettings reads what a person set, here or in another process.
func (r *Registry) ReadSettings(ctx context.Context) error {
	r.reading.Lock()
	defer r.reading.Unlock()
	return r.readSettings(ctx)
}

// readSettings is ReadSettings for a caller that holds the lock. Without the lock, a read that
// began before a change could put the former settings into use again.
func (r *Registry) readSettings(ctx context.Context) error {
	sealed, err := r.Store.Secret(ctx, appSettingsName)
	if err != nil {
		return err
	}
	if was := r.settings.Load(); was != nil && was.sealed == sealed || was == nil && sealed == "" {
		return nil
	}
	next := &storedSettings{sealed: sealed}
	if sealed != "" {
		if err := r.open(appSettingsName, sealed, &next.AppSettings); err != nil {
			return err
		}
	}
	if r.NewApp != nil && next.ClientID != "" && next.ClientSecret != "" {
		next.app = r.NewApp(next.ClientID, next.ClientSecret)
	}
	r.settings.Store(next)
	return nil
}

// ErrOAuthPair means that only one of client id and secret is given.
var ErrOAuthPair = errors.New("OAuth needs both the client id and the client secret")

// SaveSettings stores what a person set; an empty field keeps what there is.
func (r *Registry) SaveSettings(ctx context.Context, next AppSettings) error {
	r.reading.Lock()
	defer r.reading.Unlock()
	if err := r.readSettings(ctx); err != nil {
		return err
	}
	if s := r.settings.Load(); s != nil {
		if next.PublicURL == "" {
			next.PublicURL = s.PublicURL
		}
		if next.ClientSecret == "" && (next.ClientID == "" || next.ClientID == s.ClientID) {
			next.ClientID, next.ClientSecret = s.ClientID, s.ClientSecret
		}
	}
	if (next.ClientID == "") != (next.ClientSecret == "") {
		return ErrOAuthPair
	}
	sealed, err := r.seal(appSettingsName, next)
	if err != nil {
		return err
	}
	if err := r.Store.PutSecrets(ctx, r.Now(), sealed); err != nil {
		return err
	}
	return r.readSettings(ctx)
}
