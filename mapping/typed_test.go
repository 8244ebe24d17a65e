package mapping

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func conditionFile(on, condition string) []byte {
	do := "tags: { add: new }"
	if on == "milestone.changed" {
		on += "\nmilestone: { tag: closing, date: contact.closing_date }"
	}
	return fmt.Appendf(nil, "name: A\nif: %s\non: %s\ndo: [%s]\n", inQuotes(condition), on, do)
}

// Each is valid, and would never say what was meant.
func TestAComparisonThatNeverSaysWhatWasMeantIsAMistake(t *testing.T) {
	for _, c := range []struct{ on, condition, want string }{
		{"contact.changed", `contact.tags == "vip"`, `contact.tags is a list; write "vip" in contact.tags`},
		{"contact.changed", `"vip" == contact.tags`, `contact.tags is a list; write "vip" in contact.tags`},
		{"contact.changed", `contact.dnd and contact.tags != "vip"`, `contact.tags is a list; write "vip" not in contact.tags`},
		{"contact.changed", `contact.tags != ""`, `contact.tags is a list; write empty(contact.tags) or not empty(contact.tags)`},
		{"contact.changed", `contact.tags > 2`, `contact.tags is a list; len(contact.tags) is the number of its entries`},
		{"contact.changed", `contact.tags contains "vip"`, `contact.tags is a list; write "vip" in contact.tags, or any(contact.tags, # contains "vip") for a part of an entry`},
		{"contact.changed", `contact.tags in "vip"`, `the value goes first: write "vip" in contact.tags`},
		{"contact.changed", `contact.tags in ["vip", "gold"]`, `contact.tags is a list itself; write any(contact.tags, # in ["vip", "gold"])`},
		{"contact.changed", `contact.tags.includes("vip")`, `contact.tags is a list and has no includes; write "vip" in contact.tags, or len(contact.tags)`},
		{"contact.changed", `contact.tags.length > 1`, `contact.tags is a list and has no length; write "vip" in contact.tags, or len(contact.tags)`},
		{"contact.changed", `"vip" in contact.company_name`, `contact.company_name is a text; write contact.company_name contains "vip"`},
		{"contact.changed", `contact.city in "Boston"`, `"Boston" is a text; write == "Boston", or in with a list: in ["Boston"]`},
		{"contact.changed", `contact.dnd == "true"`, `contact.dnd is true or false; write contact.dnd or not contact.dnd`},
		{"contact.changed", `contact.dnd == 1`, `contact.dnd is true or false; write contact.dnd or not contact.dnd`},
		{"task.changed", `task.completed == "no"`, `task.completed is true or false; write task.completed or not task.completed`},
		{"contact.changed", `contact.postal_code == 2110`, `contact.postal_code is a text; write the value in quotes: "2110"`},
		{"contact.changed", `contact.first_name > 5`, `contact.first_name is a text; write the value in quotes: "5"`},
		{"contact.changed", `contact.city == true`, `contact.city is a text; write the value in quotes: "true"`},
		{"task.changed", `task.title == 5`, `task.title is a text; write the value in quotes: "5"`},
		{"task.changed", `task.due == "2026-12-01"`, `task.due is a date, which == cannot compare; write before(task.due, "2026-12-01") or after(task.due, "2026-12-01")`},
		{"task.changed", `task.due > "12/24/2026"`, `task.due is a date, which > cannot compare; write after(task.due, "12/24/2026")`},
		{"task.changed", `"2026-12-24" > task.due`, `task.due is a date, which > cannot compare; write `},
		{"task.changed", `task.due != ""`, `task.due is a date; write empty(task.due) or not empty(task.due)`},
		{"task.changed", `task.due < 7`, `task.due is a date, which < cannot compare; write before(task.due, "2026-12-01")`},
		{"milestone.changed", `milestone.date == "2026-12-01"`, `milestone.date is a date, which == cannot compare; write `},
		{"contact.changed", `contact.date_added == "2026-12-01"`, `contact.date_added is a date, which == cannot compare; write `},
		{"contact.changed", `contact.date_of_birth == "12/01/1990"`, `contact.date_of_birth is a date, which == cannot compare; write `},
		{"contact.changed", `contact.date_of_birth > "1/1/1990"`, `contact.date_of_birth is a date, which > cannot compare; write after(contact.date_of_birth, "1/1/1990")`},
		{"contact.changed", `contact.closing_date > "12/01/2026"`, `> compares the letters of "12/01/2026", not the date; write after(contact.closing_date, "12/01/2026")`},
		{"opportunity.changed", `opportunity.value > "5000"`, `opportunity.value is a number; write one without quotes, currency and commas: 5000`},
		{"opportunity.changed", `opportunity.value == ""`, `opportunity.value is a number; write empty(opportunity.value) or not empty(opportunity.value)`},
		{"contact.changed", `contact.custom_fields.closing_date != nil`, `a custom field follows the contact: write contact.closing_date`},
		{"contact.changed", `contact.customField["lot"] == "5"`, `a custom field follows the contact: write contact.lot`},
		{"contact.changed", `contact.city.name == "Boston"`, `contact.city has one value and no name in it`},
		{"contact.changed", `"vip" == "contact.type"`, `compares two fixed values; write the name of a field without quotes, such as contact.city`},
		{"contact.changed", `contact.city == "Boston" or "New York"`, `the text "New York" stands alone; write contact.city in ["Boston", "New York"]`},
		{"contact.changed", `contact.dnd and "vip"`, `the text "vip" stands alone; compare it with a field, too`},
		{"contact.changed", `not contact.city == "Boston"`, `not belongs to the field alone here; write not (contact.city == "Boston")`},
		{"contact.changed", `not contact.vip == "yes"`, `not belongs to the field alone here; write not (contact.vip == "yes")`},
		{"contact.changed", `contact.closing_date < "31/12/2026"`, `< compares the letters of "31/12/2026", not the date; write before(contact.closing_date, "2026-12-01")`},
		{"contact.changed", `contact.closing_date > "01.12.2026"`, `> compares the letters of "01.12.2026", not the date; write after(contact.closing_date, "2026-12-01")`},
		{"contact.changed", `contact.closing_date <= "2026-02-30"`, `<= compares the letters of "2026-02-30", not the date; write before(contact.closing_date, "2026-12-01")`},
		{"contact.changed", `contact.closing_date >= "today"`, `>= compares the letters of "today", not the date; within(contact.closing_date, 7) asks whether it is today or in the next 7 days`},
		{"contact.changed", `first(contact.tags) == "VIP"`, `no tag is written "VIP", since HighLevel's are in lower case; did you mean "vip"?`},
		{"contact.changed", `contact.tags[0] in ["gold", "VIP"]`, `no tag is written "VIP", since HighLevel's are in lower case; did you mean "vip"?`},
		{"contact.changed", `join(contact.tags, ",") contains "VIP"`, `no tag is written "VIP", since HighLevel's are in lower case; did you mean "vip"?`},
		{"contact.changed", `any(["VIP", "gold"], # in contact.tags)`, `no tag is written "VIP", since HighLevel's are in lower case; did you mean "vip"?`},
		{"calendarhero.meeting_started", `"ana@Example.com" in meeting.emails`, `no address is written "ana@Example.com", since those of a meeting are in lower case; did you mean "ana@example.com"?`},
		{"calendarhero.meeting_started", `any(meeting.emails, # endsWith "@Example.com")`, `no address is written "@Example.com", since those of a meeting are in lower case; did you mean "@example.com"?`},
		{"contact.changed", `contact.timezone in ["UTC", "America/NewYork"]`, `"America/NewYork" is not a time zone; did you mean "America/New_York"?`},
		{"contact.changed", `location.timezone == "New York"`, `"New York" is not a time zone; expected an IANA name such as America/New_York`},
		{"contact.changed", `lower(contact.city) == "Boston"`, `lower never gives "Boston"; did you mean "boston"?`},
		{"contact.changed", `upper(contact.city) != "Boston"`, `upper never gives "Boston"; did you mean "BOSTON"?`},
		{"contact.changed", `within(30, contact.date_of_birth)`, `within begins with the field of a date; write it like within(contact.closing_date, 7)`},
		{"contact.changed", `before("2026-12-01", "2026-12-31")`, `before begins with the field of a date; write it like before(`},
		{"task.changed", `within(task.due, -7)`, `within takes a number of days from 0 to 3660, not -7`},
		{"task.changed", `within(task.due, 1.5)`, `within takes a number of days from 0 to 3660, not 1.5`},
		{"task.changed", `within(task.due, 99999)`, `within takes a number of days from 0 to 3660, not 99999`},

		{"contact.changed", `contact.city == "Boston" and contact.city == "Oslo"`, `contact.city == "Boston" and contact.city == "Oslo" never hold together; write or`},
		{"contact.changed", `contact.city == "Boston" and contact.dnd and contact.city != "Boston"`, `contact.city == "Boston" and contact.city != "Boston" never hold together`},
		{"contact.changed", `contact.dnd and not contact.dnd`, `contact.dnd and not contact.dnd never hold together`},
		{"contact.changed", `empty(contact.email) and contact.email == "a@b.example"`, `empty(contact.email) and contact.email == "a@b.example" never hold together`},
		{"contact.changed", `contact.state in ["MA"] and contact.state in ["NY", "NJ"]`, `contact.state in ["MA"] and contact.state in ["NY", "NJ"] never hold together`},
		{"contact.changed", `"a" in contact.tags and "a" not in contact.tags`, `"a" in contact.tags and "a" not in contact.tags never hold together`},
		{"opportunity.changed", `opportunity.value > 500 and opportunity.value <= 500`, `opportunity.value > 500 and opportunity.value <= 500 never hold together`},
		{"task.changed", `before(task.due, "2026-12-01") and after(task.due, "2027-01-01")`, `before(task.due, "2026-12-01") and after(task.due, "2027-01-01") never hold together`},
		{"contact.changed", `contact.dnd or contact.city == "a" and contact.city == "b"`, `contact.city == "a" and contact.city == "b" never hold together; write or`},
		{"contact.changed", `contact.city != "a" or contact.city != "b"`, `contact.city != "a" or contact.city != "b" always holds; write and`},
		{"contact.changed", `false`, `never holds; to switch the automation off, write state: off`},
		{"task.completed", `not task.completed`, `task.completed and not task.completed never hold together`},
		{"contact.tagged\ntag: VIP", `"vip" not in contact.tags`, `"vip" in contact.tags and "vip" not in contact.tags never hold together`},
		{"milestone.changed", `"closing" not in contact.tags`, `"closing" in contact.tags and "closing" not in contact.tags never hold together`},
	} {
		t.Run(c.condition, func(t *testing.T) {
			_, err := Load("f.yaml", conditionFile(c.on, c.condition))
			var all *LoadError
			if !errors.As(err, &all) || len(all.Mistakes) != 1 || !strings.HasPrefix(err.Error(), "f.yaml:2: if: "+c.want) {
				t.Errorf("got  %v\nwant f.yaml:2: if: %s", err, c.want)
			}
		})
	}
}

func TestARightConditionIsNoMistake(t *testing.T) {
	for condition, on := range map[string]string{
		`"vip" in contact.tags and "cold" not in contact.tags`: "contact.changed",
		`contact.tags == []`:                                                                                           "contact.changed",
		`any(contact.tags, # contains "vip")`:                                                                          "contact.changed",
		`contact.dnd == false or not contact.dnd`:                                                                      "contact.changed",
		`contact.date_of_birth == "1990-09-25"`:                                                                        "contact.changed",
		`contact.date_of_birth != ""`:                                                                                  "contact.changed",
		`contact.date_added > "2026-01-01"`:                                                                            "contact.changed",
		`contact.closing_date >= "2026-12-01" and contact.budget > "5"`:                                                "contact.changed",
		`contact.grade >= "B" and contact.version < "1.2.3" and contact.opens > "10:00"`:                               "contact.changed",
		`contact.sent == "today" or contact.sent == "31/12/2026"`:                                                      "contact.changed",
		`first(contact.tags) == "vip" or join(contact.tags, ", ") contains "vip, " or contact.tags[0] == "a"`:          "contact.changed",
		`upper(first(contact.tags)) == "VIP" and any(["vip", "gold"], # in contact.tags)`:                              "contact.changed",
		`any(["VIP", "Gold"], # == contact.level) and any(["VIP"], lower(#) in contact.tags)`:                          "contact.changed",
		`"ana@example.com" in meeting.emails and meeting.title != "Ana@Example.com"`:                                   "calendarhero.meeting_started",
		`contact.timezone in ["UTC", "US/Eastern"] or contact.timezone != "" or contact.timezone startsWith "America"`: "contact.changed",
		`contact.lot_number > 5 and contact.lot_number < 10`:                                                           "contact.changed",
		`contact.email != nil and contact.email != ""`:                                                                 "contact.changed",
		`contact.city == "Boston" or contact.city == "Oslo"`:                                                           "contact.changed",
		`contact.city != "Boston" and contact.city != "Oslo"`:                                                          "contact.changed",
		`contact.city == "Boston" and contact.state == "Boston"`:                                                       "contact.changed",
		`contact.city in ["Boston", "Oslo"] and contact.city != "Oslo"`:                                                "contact.changed",
		`empty(contact.city) or contact.city == "Boston"`:                                                              "contact.changed",
		`not empty(contact.city) and contact.city != "Boston"`:                                                         "contact.changed",
		`not (contact.city == "a" and contact.dnd) and contact.city == "a"`:                                            "contact.changed",
		`contact.brochure.url != nil`:                                                                                  "contact.changed",
		`opportunity.value >= 500 and opportunity.value <= 500`:                                                        "opportunity.changed",
		`opportunity.value != nil and opportunity.status == "won"`:                                                     "opportunity.changed",
		`task.due != nil and after(task.due, "2026-12-01")`:                                                            "task.changed",
		`after(task.due, "2026-12-01") and before(task.due, "2027-01-01")`:                                             "task.changed",
		`not before(task.due, "2026-12-01") and not after(task.due, "2026-12-01")`:                                     "task.changed",
		`within(task.due, 7) and task.title startsWith "Call"`:                                                         "task.changed",
		`milestone.date != nil and milestone.name != ""`:                                                               "milestone.changed",
		`"closing" in contact.tags and "sold" not in contact.tags`:                                                     "milestone.changed",
		`location.timezone == "America/New_York" ? contact.dnd : true`:                                                 "contact.changed",
		`not contact.dnd == true and not contact.vip == false`:                                                         "contact.changed",
		`lower(contact.city) == "boston" and upper(contact.state) == "MA"`:                                             "contact.changed",
		`before("2026-12-01", contact.closing_date)`:                                                                   "contact.changed",
		`true`: "contact.changed",
	} {
		if _, err := Load("f.yaml", conditionFile(on, condition)); err != nil {
			t.Errorf("%s: %v", condition, err)
		}
	}
}
