package testenv

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
)

// Postgres returns the URL of a new, empty PostgreSQL database that is dropped
// after the test. The server is the one that MILEPOST_TEST_DATABASE_URL names,
// else a throwaway cluster made from the installed binaries, once per test
// program. Without either the test is skipped in words, or fails where
// MILEPOST_REQUIRE_POSTGRES is set.
func Postgres(t testing.TB) string {
	t.Helper()
	server, err := PostgresServer()
	if err != nil {
		missing(t, "MILEPOST_REQUIRE_POSTGRES", "no PostgreSQL: "+err.Error())
	}
	url, drop, err := CreateDatabase(context.Background(), server)
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

// CreateDatabase makes an empty database on the server that a URL names. It
// returns the URL of the new one, and what drops it, whoever is connected.
func CreateDatabase(ctx context.Context, server string) (url string, drop func() error, err error) {
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
	if err := admin("CREATE DATABASE " + name); err != nil {
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
