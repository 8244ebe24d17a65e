package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"milepost/internal/store"
	"milepost/internal/testenv/testdb"
)

// TestParametersHaveATypeOfPostgreSQL sends parameters as pgx does if a connection string
// sets default_query_exec_mode: without asking the server for their types. A build without
// the tag of releases (TAGS in the Makefile) knows them anyway.
func TestParametersHaveATypeOfPostgreSQL(t *testing.T) {
	pool, err := store.PostgresPool(t.Context(), testdb.Postgres(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	text := "text"
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		for cast, value := range map[string]any{
			"text": text, "text ": &text, "text[]": []string{"a"}, "bytea": []byte("a"), "bytea[]": [][]byte{{1}}, "bool": true, "bool[]": []bool{true},
			"bigint": int64(1), "int": 1, "bigint[]": []int64{1}, "timestamptz": time.Now(), "timestamptz[]": []time.Time{time.Now()}, "float8": 1.5, "interval": time.Second,
			// The inbox writes ids that may be missing, and River makes this of its JSON in these modes.
			"text[] ": []*string{&text, nil}, "jsonb": json.RawMessage(`{}`), "jsonb[]": []json.RawMessage{json.RawMessage(`{}`)},
		} {
			var known bool
			if err := pool.QueryRow(t.Context(), `SELECT ($1::`+cast+`) IS NOT NULL`, mode, value).Scan(&known); err != nil || !known {
				t.Errorf("%s, %T as %s: %v", mode, value, cast, err)
			}
		}
	}
}
