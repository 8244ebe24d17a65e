package store

import (
	"strings"
	"testing"
)

// The queries that once walked every entity of a location.
func TestNoQueryWalksAllEntitiesOfALocation(t *testing.T) {
	st, err := OpenSQLite(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for query, index := range map[string]string{
		entitiesOf: "USING COVERING INDEX entities_contact (location_id=? AND contact_id=?)",
		attached:   "USING INDEX entities_contact (location_id=? AND contact_id=?)",
		backlog:    "USING INDEX entities_owed",
	} {
		plan := explain(t, st, query)
		if !strings.Contains(plan[0], index) {
			t.Errorf("%s\nis read by %q, want %q", query, plan[0], index)
		}
		for _, step := range plan {
			if strings.Contains(step, "TEMP B-TREE") {
				t.Errorf("%s\nis sorted: %q", query, step)
			}
		}
	}
}

// explain returns how SQLite would run a query.
func explain(t *testing.T, st *Store, query string) (steps []string) {
	t.Helper()
	args := []any{"", ""}
	rows, err := st.Query(t.Context(), "EXPLAIN QUERY PLAN "+query, args[:strings.Count(query, "$")]...)
	steps, err = collect(rows, err, func(r Rows) (step string, err error) {
		var id, parent, unused int64
		return step, r.Scan(&id, &parent, &unused, &step)
	})
	if err != nil {
		t.Fatal(err)
	}
	return steps
}
