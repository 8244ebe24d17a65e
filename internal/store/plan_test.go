package store

import (
	"strings"
	"testing"
)

// Each of these once walked every entity of a location, or every delivery.
func TestTheCostOfAQueryDoesNotGrowWithWhatIsStored(t *testing.T) {
	st, err := OpenSQLite(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for query, want := range map[string]string{
		listEntitiesOf:    "entities_contact (location_id=? AND contact_id=?)",
		listAttached:      "entities_contact (location_id=? AND contact_id=?)",
		countBacklog:      "entities_owed",
		settleDeliveries:  "deliveries_entity (location_id=? AND kind=? AND entity_id=? AND finished_at=? AND wanted<?)",
		listForgotten:     "erasures_on_request",
		countStanding:     "sqlite_autoindex_links_1 (location_id=? AND kind=? AND entity_id=?)",
		countOwed:         "entities_contact (location_id=? AND contact_id=?)",
		listDeliveriesOf:  "deliveries_entity (location_id=? AND kind=? AND entity_id=?)",
		eraseDeliveriesOf: "deliveries_entity (location_id=? AND kind=? AND entity_id=?)",

		listContactsToLookAt: "links_two_way (location_id=? AND looked_at<?)",
	} {
		plan := explain(t, st, query)
		if !strings.Contains(plan, want) || strings.Contains(plan, "(location_id=?)") || strings.Contains(plan, "ORDER BY") {
			t.Errorf("%s\nwants %s, is read by\n%s", query, want, plan)
		}
	}
}

// explain returns how SQLite would run a query, a step a line.
func explain(t *testing.T, st *Store, query string) string {
	t.Helper()
	args := make([]any, strings.Count(query, "$"))
	for i := range args {
		args[i] = ""
	}
	rows, err := st.Query(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	steps, err := collect(rows, err, func(r Rows) (step string, err error) {
		var id, parent, unused int64
		return step, r.Scan(&id, &parent, &unused, &step)
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(steps, "\n")
}
