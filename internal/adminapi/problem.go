package adminapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"milepost/clients"
	"milepost/internal/automation"
	"milepost/internal/connection"
	"milepost/internal/operate"
	"milepost/internal/people"
	"milepost/internal/store"
	"milepost/mapping"
)

// statuses are those of the errors that the caller can put right.
var statuses = []struct {
	err    error
	status int
}{
	{operate.ErrUnknown, http.StatusNotFound},
	{automation.ErrUnknown, http.StatusNotFound},
	{people.ErrNobody, http.StatusNotFound},
	{people.ErrNoSuchToken, http.StatusNotFound},
	{automation.ErrReadOnly, http.StatusConflict},
	{automation.ErrPaused, http.StatusConflict},
	{operate.ErrChangedSince, http.StatusConflict},
	{operate.ErrNoPlan, http.StatusConflict},
	{operate.ErrNoRetry, http.StatusConflict},
	{operate.ErrNotCounted, http.StatusConflict},
	{operate.ErrUnread, http.StatusConflict},
	{operate.ErrNoPublicURL, http.StatusConflict},
	{store.ErrNotFailed, http.StatusConflict},
	{operate.ErrSince, http.StatusUnprocessableEntity},
	{operate.ErrForgotten, http.StatusConflict},
	{operate.ErrNoChannel, http.StatusConflict},
	{people.ErrTaken, http.StatusConflict},
	{operate.ErrTooMany, http.StatusUnprocessableEntity},
	{operate.ErrNothingToReplay, http.StatusUnprocessableEntity},
	{operate.ErrNoReplay, http.StatusUnprocessableEntity},
	{errors.ErrUnsupported, http.StatusUnprocessableEntity},
	{operate.ErrAmbiguous, http.StatusUnprocessableEntity},
	{people.ErrInvalid, http.StatusUnprocessableEntity},
}

// problem turns an error into what the caller is told. What the caller cannot put
// right is logged.
func (a *API) problem(ctx context.Context, operation string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[huma.StatusError](err); ok {
		return err
	}
	if wrong, ok := errors.AsType[*mapping.LoadError](err); ok {
		return mistakes(wrong)
	}
	for _, known := range statuses {
		if errors.Is(err, known.err) {
			return huma.NewError(known.status, strings.TrimPrefix(err.Error(), people.ErrInvalid.Error()+": "))
		}
	}
	if refused, ok := errors.AsType[automation.Refused](err); ok {
		return huma.Error422UnprocessableEntity(refused.Error())
	}
	if absent, ok := errors.AsType[*connection.NotConnected](err); ok {
		return huma.Error409Conflict(absent.Error())
	}
	if others, ok := errors.AsType[*operate.OthersRegistered](err); ok {
		return huma.Error409Conflict(others.Error())
	}
	if unknown, ok := errors.AsType[*operate.NoKey](err); ok {
		return huma.Error404NotFound(unknown.Error())
	}
	if rejected, ok := errors.AsType[*connection.Rejected](err); ok {
		return huma.Error422UnprocessableEntity(rejected.Error())
	}
	if failed, ok := errors.AsType[*clients.Error](err); ok {
		return huma.Error502BadGateway(failed.Error())
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return huma.Error504GatewayTimeout(fmt.Sprintf("HighLevel or CalendarHero did not answer within %s; try again", vendorsAnswer))
	case ctx.Err() != nil:
		return huma.Error503ServiceUnavailable("the request was cancelled") // nobody reads it
	}
	a.Logger.Error().Err(err).Str("operation", operation).Msg("could not answer a request of the admin API")
	if store.Unavailable(err) {
		return huma.Error503ServiceUnavailable("the database cannot be read or written now; the log says why")
	}
	return huma.Error500InternalServerError("something went wrong here; the log says what")
}

// mistakes tells what is wrong in a text of automations, each with its place.
func mistakes(wrong *mapping.LoadError) error {
	list := make([]error, len(wrong.Mistakes))
	for i, m := range wrong.Mistakes {
		list[i] = &huma.ErrorDetail{Message: m.Message, Location: fmt.Sprintf("body.text line %d", m.Line)}
	}
	return huma.Error422UnprocessableEntity("nothing was saved, because the automation has mistakes", list...)
}
