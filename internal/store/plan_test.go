package store

import (
	"strings"
	"testing"

	"milepost/internal/testenv"
)

// Each of these queries once read every entity of a location, or every delivery.
func TestTheCostOfAQueryDoesNotGrowWithTheDatabase(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	st, err := OpenSQLite(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for query, want := range map[string]string{
		listEntitiesOf:      "entities_contact (location_id=? AND contact_id=?)",
		listDependents:      "entities_contact (location_id=? AND contact_id=?)",
		countBacklog:        "entities_owed",
		oldestWith:          "deliveries_outcome",
		listOpenDeliveries:  "deliveries_entity (entity_id=? AND location_id=? AND kind=? AND finished_at=? AND wanted<?)",
		setDeliveryOutcomes: "deliveries_entity (entity_id=? AND location_id=? AND kind=? AND finished_at=? AND wanted<?)",
		listForgotten:       "erasures_on_request",
		countStanding:       "sqlite_autoindex_links_1 (location_id=? AND kind=? AND entity_id=?)",
		countOwed:           "entities_contact (location_id=? AND contact_id=?)",
		listDeliveriesOf:    "deliveries_entity (entity_id=? AND location_id=? AND kind=?)",
		eraseDeliveriesOf:   "deliveries_entity (entity_id=? AND location_id=? AND kind=?)",

		listContactsToLookAt: "links_two_way (location_id=? AND looked_at<?)",
		eraseItemsByContact:  "items_contact (location_id=? AND contact_id=?)",
		eraseItemsByEntity:   "sqlite_autoindex_items_1 (location_id=? AND kind=? AND entity_id=?)",
		listDueLooks:         "entities_look_at (look_at>? AND look_at<?)",
		listCallsOf:          "calls_origin (location_id=? AND origin=? AND automation=? AND at>? AND at<?)",
		findOrigin:           "calls_made (location_id=? AND made=?)",
		listOpenCalls:        "calls_open (state=?",
		pruneItems:           "items_removed (removed_at<?)",
		listCalendar:         "items_when (location_id=? AND <expr>>? AND <expr><?)",
		setSwept:             "sqlite_autoindex_entities_1 (location_id=? AND kind=? AND id=?)",
	} {
		plan := explain(t, st, query)
		if !strings.Contains(plan, want) || strings.Contains(plan, "(location_id=?)") || strings.Contains(plan, "ORDER BY") {
			t.Errorf("%s\nwants %s, is read by\n%s", query, want, plan)
		}
	}
}

// The index alone shows whether a feed has changed, and a page is read in the index's
// order.
func TestAFeedIsReadByItsIndex(t *testing.T) {
	testenv.Long(t)
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
		{Feed{LocationID: "loc"}, "(location_id=?", "items_location (location_id=?"}, // any index has the state of all items
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

// Indexes serve the pages of the console.
func TestTheCostOfAPageDoesNotGrowWithTheDatabase(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	st, err := OpenSQLite(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for query, want := range map[string]string{
		listBackfills:                     "sqlite_autoindex_applies_1 (automation>? AND automation<?)",
		syncOf:                            "sqlite_autoindex_considered_1 (location_id=? AND kind=? AND entity_id=? AND seen>?)",
		listWaits:                         "sqlite_autoindex_waits_1 (location_id=? AND kind=? AND entity_id=? AND seen>?)",
		listContactsByID:                  "contacts_id (id=?)",
		listRecordsOf:                     "sqlite_autoindex_entities_1 (location_id=? AND kind=? AND id=?)",
		listLinksOf:                       "sqlite_autoindex_links_1 (location_id=? AND kind=? AND entity_id=?)",
		eraseContactWords:                 "contact_words_contact (location_id=? AND contact_id=?)",
		countDeliveries:                   "COVERING INDEX deliveries_outcome (outcome=?)",
		countByHour:                       "COVERING INDEX deliveries_received (received_at>?)",
		nextDeliveryType:                  "COVERING INDEX deliveries_type (type>?)",
		firstDeliverySince:                "COVERING INDEX deliveries_received (received_at>?)",
		lastDeliveryUntil:                 "COVERING INDEX deliveries_received (received_at<?)",
		countSettledWith:                  "COVERING INDEX deliveries_entity (entity_id=? AND location_id=? AND kind=? AND finished_at=?)",
		listSessions + ` AND digest = $2`: "sqlite_autoindex_sessions_1 (digest=?)",
	} {
		plan := explain(t, st, query)
		if !strings.Contains(plan, want) || strings.Contains(plan, "SCAN ") && !strings.Contains(plan, "SCAN (subquery") && !strings.Contains(plan, "SCAN found") && !strings.Contains(plan, "SCAN counted") && !strings.Contains(plan, "SCAN of_contact") {
			t.Errorf("%s\nwants %s, is read by\n%s", query, want, plan)
		}
	}
	for _, terms := range [][]string{{"jane"}, {"jane", "smith"}} {
		query, _ := searchContacts(terms, 10)
		if plan := explain(t, st, query); strings.Count(plan, "sqlite_autoindex_contact_words_1 (word>? AND word<?)") < len(terms) || !strings.Contains(plan, "sqlite_autoindex_contacts_1 (location_id=? AND id=?)") {
			t.Errorf("contacts are searched by\n%s", plan)
		}
	}
	if plan := explain(t, st, listOwedRecords); !strings.Contains(plan, "entities_owed") || strings.Contains(plan, "ORDER BY") {
		t.Errorf("a page of what is owed is read by\n%s", plan)
	}
	for _, query := range []string{listWithCause, countTroubled, `SELECT 1 WHERE ` + causeStands} {
		if plan := explain(t, st, query); !strings.Contains(plan, "entities_trouble") || strings.Contains(plan, "ORDER BY") {
			t.Errorf("what failed is read by\n%s", plan)
		}
	}
	// The records of each cause are looked up, never scanned. Sorting costs only as much as
	// there are causes.
	if plan := explain(t, st, listCauses); strings.Count(plan, "entities_trouble (trouble=?)") != 2 || strings.Count(plan, "entities_trouble (trouble>?)") != 1 || strings.Contains(plan, "SCAN e") || strings.Contains(plan, "SCAN c ") {
		t.Errorf("the causes are read by\n%s", plan)
	}
	if plan := explain(t, st, listStuck); !strings.Contains(plan, "deliveries_outcome (outcome=? AND id<?)") || strings.Contains(plan, "SCAN e") || strings.Contains(plan, "SCAN r ") {
		t.Errorf("webhooks that wait for too long are read by\n%s", plan)
	}
	if plan := explain(t, st, countJobs); !strings.Contains(plan, "COVERING INDEX") || !strings.Contains(plan, "state=?") {
		t.Errorf("jobs are counted by\n%s", plan)
	}
	if plan := explain(t, st, timelineBetween); !strings.Contains(plan, "timeline_contact (location_id=? AND contact_id=?") {
		t.Errorf("what a sync did is read by\n%s", plan)
	}
	if plan := explain(t, st, listChangedContacts); !strings.Contains(plan, "contacts_changed") || strings.Contains(plan, "ORDER BY") {
		t.Errorf("a page of contacts is read by\n%s", plan)
	}
	for name, c := range map[string]struct {
		filter DeliveryFilter
		index  string
	}{
		"all":                       {DeliveryFilter{}, "sqlite_autoindex_deliveries_1 (id>? AND id<?)"},
		"an outcome":                {DeliveryFilter{Outcomes: FailedOutcomes}, "deliveries_outcome (outcome=? AND id>? AND id<?)"},
		"failed of a location":      {DeliveryFilter{Outcomes: FailedOutcomes, LocationID: "loc", Type: "T"}, "deliveries_outcome (outcome=? AND id>? AND id<?)"},
		"a common outcome of a one": {DeliveryFilter{Outcomes: []string{Done}, LocationID: "loc"}, "deliveries_location (location_id=? AND id>? AND id<?)"},
		"a location":                {DeliveryFilter{LocationID: "loc"}, "deliveries_location (location_id=? AND id>? AND id<?)"},
		"a contact":                 {DeliveryFilter{About: []Subject{{ContactID: "c"}}, Type: "T"}, "deliveries_contact (contact_id=? AND id>? AND id<?)"},
		"what was replayed":         {DeliveryFilter{Replayed: true, Outcomes: []string{Done}, LocationID: "loc"}, "deliveries_replay (id>? AND id<?)"},
		"an automation's":           {DeliveryFilter{LocationID: "loc", Automation: "a"}, "deliveries_location (location_id=? AND id>? AND id<?)"},
		"a type":                    {DeliveryFilter{Type: "T"}, "deliveries_type (type=? AND id>? AND id<?)"},
	} {
		for _, w := range c.filter.ways() {
			query, _ := w.query()
			bound, _ := w.bound()
			for _, q := range []string{query, bound} {
				if plan := explain(t, st, q); !strings.Contains(plan, c.index) || strings.Contains(plan, "TEMP B-TREE") {
					t.Errorf("%s\nwants %s, is read by\n%s", name, c.index, plan)
				}
			}
		}
	}
	query, _ := DeliveryFilter{About: []Subject{{Record: Entity{LocationID: "loc", Kind: "contact", ID: "c"}}}}.ways()[0].query() // a record has few deliveries to sort
	if plan := explain(t, st, query); !strings.Contains(plan, "deliveries_entity (entity_id=? AND location_id=? AND kind=?)") {
		t.Errorf("the deliveries of a record are read by\n%s", plan)
	}
}
