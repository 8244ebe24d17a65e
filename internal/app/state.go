package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/rs/zerolog"

	"milepost/clients/calendarhero"
	"milepost/clients/highlevel"
	"milepost/internal/automation"
	"milepost/internal/connection"
	"milepost/internal/secret"
	"milepost/internal/store"
)

// State is what a command works on beside a running Milepost: the state
// database, the connections, and the keys that open their secrets.
type State struct {
	Store       *store.Store
	Automations *automation.Library
	Connections *connection.Registry
	Ring        *secret.Ring
	BackupAge   time.Duration // from which the last backup needs attention
}

// FindData fails if the data directory lacks one of Milepost's files: then it is not the
// one that `milepost serve` works, most likely. PostgreSQL needs none of them.
func (c *Config) FindData(file string) error {
	if c.DatabaseURL != "" {
		return nil
	}
	if _, err := os.Stat(filepath.Join(c.DataDir, file)); !errors.Is(err, fs.ErrNotExist) {
		return nil // opening it says what else is wrong
	}
	dir := c.DataDir
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return fmt.Errorf("there is no Milepost data in %s (no %s): set MILEPOST_DATA_DIR to the folder that `milepost serve` uses, or start that first", dir, file)
}

// OpenState opens the state that the configuration names. Close its Store.
func OpenState(ctx context.Context, cfg Config, logger zerolog.Logger) (*State, error) {
	settings, err := cfg.parse()
	if err != nil {
		return nil, err
	}
	return cfg.openState(ctx, settings, logger)
}

func (c *Config) openState(ctx context.Context, settings settings, logger zerolog.Logger) (_ *State, err error) {
	s := &State{Ring: settings.ring, BackupAge: c.BackupAge}
	if c.DatabaseURL == "" || s.Ring == nil {
		if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
			return nil, fmt.Errorf("make the data directory (MILEPOST_DATA_DIR): %w", err)
		}
	}
	if s.Ring == nil {
		if s.Ring, err = secret.OpenRing(filepath.Join(c.DataDir, "encryption.keys")); errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("%w; run the command as the user that runs `milepost serve`", err)
		} else if err != nil {
			return nil, err
		}
	}
	if c.DatabaseURL != "" {
		s.Store, err = store.OpenPostgres(ctx, c.DatabaseURL)
	} else {
		s.Store, err = store.OpenSQLite(ctx, c.DataDir)
	}
	if err != nil {
		return nil, err
	}
	if s.Automations, err = automation.Open(ctx, automation.Config{Store: s.Store, File: settings.file, Logger: logger, Now: c.Clock.Now}); err != nil {
		return nil, errors.Join(err, s.Store.Close())
	}
	s.Connections = connection.Open(connection.Config{
		Store: s.Store, Ring: s.Ring, App: c.app(),
		HighLevel: highlevel.Config{BaseURL: c.HighLevelBaseURL, HTTP: c.HTTP, RetryWait: c.Clock.retryWait(), Now: c.Clock.Now},
		CalendarHero: calendarhero.Config{
			BaseURL: c.CalendarHeroBaseURL, Auth: c.CalendarHeroAuth, HTTP: c.HTTP, RetryWait: c.Clock.retryWait(), Now: c.Clock.Now,
		},
		Settings: connection.Settings{
			LocationID: c.HighLevelLocationID, HighLevelTokens: c.HighLevelTokens(), CalendarHeroToken: strings.TrimSpace(c.CalendarHeroToken),
		},
		PublicURL: c.PublicURL, Logger: logger, Now: c.Clock.Now, Real: c.Clock.Real,
	})
	s.Connections.NewApp = c.newApp
	if err := s.Connections.ReadSettings(ctx); err != nil && !errors.Is(err, secret.ErrUnknownKey) {
		return nil, errors.Join(err, s.Store.Close())
	}
	return s, nil
}

// OpenQueue opens the queue, for commands that queue syncs. The processes that serve work
// them.
func (s *State) OpenQueue() error {
	_, err := s.Store.NewQueue(store.QueueConfig{Logger: slog.New(slog.DiscardHandler)})
	return err
}

// appID returns the id of the app whose events count.
func (c *Config) appID(connections *connection.Registry) func() string {
	configured, _, _ := strings.Cut(c.HighLevelClientID, "-")
	configured = cmp.Or(c.HighLevelAppID, configured)
	return func() string {
		if app := connections.MarketplaceApp(); configured == "" && app != nil {
			return app.ID()
		}
		return configured
	}
}

// app is the Marketplace app, or nil where none is configured.
func (c *Config) app() *highlevel.App {
	if c.HighLevelClientSecret == "" {
		return nil
	}
	return c.newApp(c.HighLevelClientID, c.HighLevelClientSecret)
}

func (c *Config) newApp(clientID, clientSecret string) *highlevel.App {
	return highlevel.NewApp(highlevel.AppConfig{
		ClientID: clientID, ClientSecret: clientSecret, BaseURL: c.HighLevelBaseURL,
		AuthorizeURL: c.HighLevelAuthorizeURL, Scopes: c.HighLevelScopes, RetryWait: c.Clock.retryWait(), Now: c.Clock.Now,
	})
}

// HighLevelTokens are the Private Integration Tokens, the newest first.
func (c *Config) HighLevelTokens() []string {
	return strings.FieldsFunc(c.HighLevelToken, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// HighLevelClient returns a client with one of the configured tokens.
func (c *Config) HighLevelClient(token string) *highlevel.Client {
	return highlevel.New(highlevel.Config{BaseURL: c.HighLevelBaseURL, Tokens: highlevel.StaticTokens(token)})
}

// CalendarHeroClient returns a client with the configured token.
func (c *Config) CalendarHeroClient() *calendarhero.Client {
	return calendarhero.New(calendarhero.Config{BaseURL: c.CalendarHeroBaseURL, Token: strings.TrimSpace(c.CalendarHeroToken), Auth: c.CalendarHeroAuth})
}
