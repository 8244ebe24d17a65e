package store

import (
	"context"
	"database/sql/driver"
)

// cachingConnector opens connections that prepare each statement text once. River does not
// prepare its statements, and parsing them is half of its cost on SQLite. With this, 1k
// jobs/s become 4.5k.
type cachingConnector struct {
	driver.Connector
	files *openFiles
}

func (c cachingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := c.files.check(); err != nil {
		return nil, err
	}
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &cachingConn{sqliteConn: conn.(sqliteConn), stmts: map[string]*cachedStmt{}}, nil
}

// sqliteConn is what the SQLite driver's connections can do.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// maxStmts limits the statements that one connection keeps. River and this package have
// fewer texts; any others run unprepared.
const maxStmts = 256

// cachingConn keeps prepared statements by text. database/sql uses a connection from one
// goroutine at a time, so it needs no lock.
type cachingConn struct {
	sqliteConn
	stmts map[string]*cachedStmt
}

type cachedStmt struct {
	stmt interface {
		driver.Stmt
		driver.StmtExecContext
		driver.StmtQueryContext
	}
	busy bool // its rows are open, so a second use must not reset it
}

// lookup returns the prepared statement of a text if it is free, or nil if the text must
// run unprepared. The first use of a text only counts it, because migrations and other
// one-off texts are not worth keeping.
func (c *cachingConn) lookup(ctx context.Context, query string) *cachedStmt {
	s, seen := c.stmts[query]
	switch {
	case seen && s != nil && !s.busy:
		return s
	case seen && s != nil, len(c.stmts) >= maxStmts && !seen:
		return nil
	case !seen:
		c.stmts[query] = nil
		return nil
	}
	prepared, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil // running it reports the error
	}
	s = &cachedStmt{}
	s.stmt = prepared.(interface {
		driver.Stmt
		driver.StmtExecContext
		driver.StmtQueryContext
	})
	c.stmts[query] = s
	return s
}

func (c *cachingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if s := c.lookup(ctx, query); s != nil {
		return s.stmt.ExecContext(ctx, args)
	}
	return c.sqliteConn.ExecContext(ctx, query, args)
}

func (c *cachingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s := c.lookup(ctx, query)
	if s == nil {
		return c.sqliteConn.QueryContext(ctx, query, args)
	}
	rows, err := s.stmt.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	s.busy = true
	return &cachedRows{Rows: rows, stmt: s}, nil
}

func (c *cachingConn) Close() error {
	for _, s := range c.stmts {
		if s != nil {
			_ = s.stmt.Close() // closing the connection frees it anyway
		}
	}
	return c.sqliteConn.Close()
}

// cachedRows frees its statement when it is closed.
type cachedRows struct {
	driver.Rows
	stmt *cachedStmt
}

func (r *cachedRows) Close() error {
	r.stmt.busy = false
	return r.Rows.Close()
}
