package store

import (
	"strings"
	"testing"
)

// Each of these once walked every entity of a location, or every delivery.
func TestTheCostOfAQueryDoesNotGrowWithWhatIsStored(t *testing.T) {
	t.Parallel()
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
		eraseItemsByContact:  "items_contact (location_id=? AND contact_id=?)",
		eraseItemsByEntity:   "sqlite_autoindex_items_1 (location_id=? AND kind=? AND entity_id=?)",
		pruneItems:           "items_removed (removed_at<?)",
	} {
		plan := explain(t, st, query)
		if !strings.Contains(plan, want) || strings.Contains(plan, "(location_id=?)") || strings.Contains(plan, "ORDER BY") {
			t.Errorf("%s\nwants %s, is read by\n%s", query, want, plan)
		}
	}
}

// Whether a feed changed is told by its index alone, and a page of it is read in
// the index's order.
func TestAFeedIsReadByItsIndex(t *testing.T) {
	t.Parallel()
	st, err := OpenSQLite(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for _, c := range []struct {
		feed         Feed
		state, index string
	}{
		{Feed{LocationID: "loc"}, "(location_id=?", "items_location (location_id=?"}, // any index holds the state of all
		{Feed{LocationID: "loc", ContactID: "c"}, "items_contact (location_id=? AND contact_id=?", "items_contact (location_id=? AND contact_id=?"},
		{Feed{LocationID: "loc", AssignedTo: "u"}, "items_assigned (location_id=? AND assigned_to=?", "items_assigned (location_id=? AND assigned_to=?"},
	} {
		condition, _ := c.feed.where()
		state := explain(t, st, readFeedState+condition)
		if !strings.HasPrefix(state, "SEARCH items USING COVERING INDEX") || !strings.Contains(state, c.state+")") || !strings.Contains(state, "COVERING INDEX items_changed (location_id=?)") {
			t.Errorf("the state of a feed wants %s, is read by\n%s", c.state, state)
		}
		page := explain(t, st, `SELECT `+itemColumns+` FROM items WHERE `+condition+pageOfFeed)
		if !strings.Contains(page, "INDEX "+c.index+" AND uid>?)") || strings.Contains(page, "ORDER BY") {
			t.Errorf("a page of a feed wants %s, is read by\n%s", c.index, page)
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
