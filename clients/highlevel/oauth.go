package highlevel

import (
	"context"
	"errors"
	"time"
)

type AppConfig struct {
	ClientID, ClientSecret, BaseURL, AuthorizeURL string
	Scopes                                        []string
}
type (
	App      struct{}
	UserType string
)

const (
	UserLocation UserType = "Location"
	UserCompany  UserType = "Company"
)

type Grant struct {
	AccessToken, RefreshToken string
	Expires                   time.Time
	Scopes                    []string
	UserType                  UserType
	CompanyID, LocationID     string
}
type InstalledLocation struct{ ID, Name string }

var ErrGrantRefused, ErrLocationInactive = errors.New("x"), errors.New("y")

func NewApp(AppConfig) *App { return &App{} }

func (a *App) AuthorizeURL(redirect, state string) string                               { return "" }
func (a *App) Exchange(ctx context.Context, code, redirect string) (g Grant, err error) { return }
func (a *App) Refresh(ctx context.Context, t string, u UserType) (g Grant, err error)   { return }
func (a *App) LocationToken(ctx context.Context, t, c, l string) (g Grant, err error)   { return }
func (a *App) InstalledLocations(ctx context.Context, t, c string) (l []InstalledLocation, err error) {
	return
}
