package store

import (
	"errors"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Unavailable reports whether an error means that the database cannot do anything now: its
// disk is full, its file is lost or damaged, or the server is unreachable.
func Unavailable(err error) bool {
	if errors.Is(err, ErrFileLost) || Damaged(err) {
		return true
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY:
			return true
		}
		return false
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		const connection, resources, operator, system, readOnly = "08", "53", "57", "58", "25006"
		return strings.HasPrefix(e.Code, connection) || strings.HasPrefix(e.Code, resources) ||
			strings.HasPrefix(e.Code, operator) || strings.HasPrefix(e.Code, system) || e.Code == readOnly
	}
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	_, network := errors.AsType[*net.OpError](err)
	return connecting || network
}
