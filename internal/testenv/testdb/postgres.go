package testdb

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"milepost/internal/store"
	"milepost/internal/testenv"
)

// Postgres returns the URL of a new PostgreSQL database that is dropped after the
// test. It holds the tables and no rows: they are made once in a test program, and
// copied, since to make them takes a third of a second. The server is the one that MILEPOST_TEST_DATABASE_URL names,
// else a throwaway cluster made from the installed binaries, once per test
// program. In a short run, and without either the test is skipped in words, or fails where
// MILEPOST_REQUIRE_POSTGRES is set.
func Postgres(t testing.TB) string {
	t.Helper()
	testenv.Long(t)
	server, err := PostgresServer()
	if err != nil {
		testenv.Missing(t, "MILEPOST_REQUIRE_POSTGRES", "no PostgreSQL: "+err.Error())
	}
	from, err := migrated()
	if err != nil {
		t.Fatal(err)
	}
	url, drop, err := createDatabase(context.Background(), server, " STRATEGY FILE_COPY TEMPLATE "+from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drop(); err != nil {
			t.Error(err)
		}
	})
	return url
}

// migrated makes a database with Milepost's tables, and returns its name.
var migrated = sync.OnceValues(func() (string, error) {
	ctx := context.Background()
	server, err := PostgresServer()
	if err != nil {
		return "", err
	}
	database, _, err := CreateDatabase(ctx, server)
	if err != nil {
		return "", err
	}
	st, err := store.OpenPostgres(ctx, database)
	if err != nil {
		return "", err
	}
	cfg, err := pgx.ParseConfig(database)
	if err != nil {
		return "", err
	}
	return cfg.Database, st.Close()
})

// CreateDatabase makes an empty database on the server that a URL names. It
// returns the URL of the new one, and what drops it, whoever is connected.
func CreateDatabase(ctx context.Context, server string) (url string, drop func() error, err error) {
	return createDatabase(ctx, server, "")
}

func createDatabase(ctx context.Context, server, template string) (url string, drop func() error, err error) {
	cfg, err := pgx.ParseConfig(server)
	if err != nil {
		return "", nil, err
	}
	name := "milepost_test_" + strings.ToLower(rand.Text())
	admin := func(statement string) error {
		conn, err := pgx.ConnectConfig(ctx, cfg.Copy())
		if err != nil {
			return fmt.Errorf("connect to the test PostgreSQL: %w", err)
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
		return nil
	}
	if err := admin("CREATE DATABASE " + name + template); err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable", cfg.User, cfg.Password,
			net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port))), name),
		func() error { return admin("DROP DATABASE " + name + " WITH (FORCE)") }, nil
}

// PostgresServer returns the URL of the server: the one that
// MILEPOST_TEST_DATABASE_URL names, else a throwaway cluster that is started
// once and ends with this process.
var PostgresServer = sync.OnceValues(func() (string, error) {
	if url := os.Getenv("MILEPOST_TEST_DATABASE_URL"); url != "" {
		return url, nil
	}
	return startCluster()
})
