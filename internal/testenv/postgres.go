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
	server, err := postgresServer()
	if err != nil {
		missing(t, "MILEPOST_REQUIRE_POSTGRES", "no PostgreSQL: "+err.Error())
	}
	ctx := context.Background()
	name := "milepost_test_" + strings.ToLower(rand.Text())
	admin := func(statement string) {
		t.Helper()
		conn, err := pgx.Connect(ctx, server)
		if err != nil {
			t.Fatalf("connect to the test PostgreSQL: %v", err)
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	admin("CREATE DATABASE " + name)
	t.Cleanup(func() { admin("DROP DATABASE " + name + " WITH (FORCE)") })
	cfg, err := pgx.ParseConfig(server)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable", cfg.User, cfg.Password,
		net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port))), name)
}

// postgresServer finds or starts the server, once.
var postgresServer = sync.OnceValues(func() (string, error) {
	if url := os.Getenv("MILEPOST_TEST_DATABASE_URL"); url != "" {
		return url, nil
	}
	return startCluster()
})
