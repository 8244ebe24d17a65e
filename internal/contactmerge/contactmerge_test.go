package contactmerge

import (
	"testing"

	"milepost/clients/calendarhero"
	"milepost/mapping"
)

func TestWhereAChangeOfAContactGoes(t *testing.T) {
	for _, c := range []struct {
		name      string
		ours      string // HighLevel's, was "Ann"
		theirs    string // CalendarHero's, was "Ann"
		rules     Rules
		readOnly  bool   // no field takes it back
		want      string // in CalendarHero then
		writeBack string
		lost      string
		withheld  bool
	}{
		{name: "nothing changed", ours: "Ann", theirs: "Ann", want: "Ann"},
		{name: "another form is no change", ours: "Ann", theirs: " Ann ", want: " Ann "},
		{name: "HighLevel changed", ours: "Anna", theirs: "Ann", want: "Anna"},
		{name: "CalendarHero changed", ours: "Ann", theirs: "Anna", want: "Anna", writeBack: "Anna"},
		{name: "CalendarHero changed what HighLevel cannot take", ours: "Ann", theirs: "Anna", readOnly: true, want: "Anna"},
		{name: "CalendarHero changed a shared contact", ours: "Ann", theirs: "Anna", rules: Rules{Shared: true}, want: "Anna", withheld: true},
		{name: "both changed to the same", ours: "Anna", theirs: "Anna", want: "Anna"},
		{name: "both changed, HighLevel wins", ours: "Anna", theirs: "Anne", rules: Rules{Conflict: mapping.HighLevelWins, CalendarHeroNewer: true}, want: "Anna", lost: "Anne"},
		{name: "both changed, CalendarHero wins", ours: "Anna", theirs: "Anne", rules: Rules{Conflict: mapping.CalendarHeroWins}, want: "Anne", writeBack: "Anne", lost: "Anna"},
		{name: "both changed, the newer wins: HighLevel", ours: "Anna", theirs: "Anne", rules: Rules{Conflict: mapping.NewestWins}, want: "Anna", lost: "Anne"},
		{name: "both changed, the newer wins: CalendarHero", ours: "Anna", theirs: "Anne", rules: Rules{Conflict: mapping.NewestWins, CalendarHeroNewer: true}, want: "Anne", writeBack: "Anne", lost: "Anna"},
		{name: "both changed, and CalendarHero's cannot be taken", ours: "Anna", theirs: "Anne", rules: Rules{Conflict: mapping.CalendarHeroWins}, readOnly: true, want: "Anna", lost: "Anne"},
		{name: "an empty value in HighLevel clears nothing", ours: "", theirs: "Ann", want: "Ann"},
		{name: "an empty value in CalendarHero clears nothing", ours: "Ann", theirs: "", want: ""},
		{name: "a new value fills an empty one", ours: "Anna", theirs: "", want: "Anna"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := mapping.ContactItem{Name: c.ours, Back: map[string]string{"name": "name"}}
			if c.readOnly {
				want.Back = map[string]string{}
			}
			base := Created(mapping.ContactItem{Name: "Ann"})
			got := Merge(want, calendarhero.Contact{Name: c.theirs}, base, c.rules)
			if got.Contact.Name != c.want || got.WriteBack["name"] != c.writeBack || got.Withheld != c.withheld {
				t.Errorf("CalendarHero gets %q, HighLevel %q, withheld %t", got.Contact.Name, got.WriteBack["name"], got.Withheld)
			}
			switch {
			case c.lost == "" && len(got.Conflicts) > 0, c.lost != "" && (len(got.Conflicts) != 1 || got.Conflicts[0].Lost != c.lost):
				t.Errorf("the conflicts are %+v", got.Conflicts)
			case c.lost != "":
				if again := Merge(want, calendarhero.Contact{Name: c.theirs}, got.Reported, c.rules); len(again.Conflicts) > 0 {
					t.Errorf("a try after a failed write reports the conflict again")
				}
				if base["name"].Told != "" {
					t.Errorf("the merge changed its argument")
				}
			}
			if next := Merge(want, got.Contact, got.Next, c.rules); next.Contact.Name != got.Contact.Name || len(next.Conflicts) > 0 || c.writeBack == "" && len(next.WriteBack) > 0 {
				t.Errorf("the next sync writes again: %+v", next)
			}
		})
	}
}

func TestABaseIsStoredAsText(t *testing.T) {
	base := Created(mapping.ContactItem{Name: "Ann", Emails: []string{"ann@example.com"}})
	if !Parse(base.String()).InStep(mapping.ContactItem{Name: "Ann", Emails: []string{"ann@example.com"}}, calendarhero.Contact{Name: "Ann", Emails: []string{"ANN@example.com"}}) {
		t.Error("a contact that was just created is not in step")
	}
	if len(Parse(`"deleted"`)) != 0 || len(Parse("")) != 0 {
		t.Error("another text is taken for a base")
	}
}

func TestEqualPhones(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"+1 (212) 555-0100", "0012125550100", true},
		{"+1 212 555 0100", "212.555.0100", true},
		{"+49 30 1234567", "030 1234567", true},
		{"+1 212 555 0100", "+1 212 555 0101", false},
		{"555-010", "+1 212 555-010", false}, // too short to tell
		{"", "", true},
	} {
		if SamePhone(c.a, c.b) != c.want || SamePhone(c.b, c.a) != c.want {
			t.Errorf("%q and %q: not %t", c.a, c.b, c.want)
		}
	}
}

func TestAPhoneForHighLevel(t *testing.T) {
	for _, c := range []struct{ v, was, want string }{
		{"+1 (212) 555-0100", "", "+12125550100"},
		{"0049 30 1234567", "", "+49301234567"},
		{"030 1234567", "+49301111111", "+49301234567"},
		{"(212) 555-0100", "+12125550199", "+12125550100"},
		{"(212) 555-0100", "", "2125550100"},
		{"5550100", "+12125550199", "5550100"}, // it lacks more than its country
	} {
		if got := InternationalPhone(c.v, c.was); got != c.want {
			t.Errorf("%q after %q is %q, not %q", c.v, c.was, got, c.want)
		}
	}
}

func TestANameIsSplit(t *testing.T) {
	for _, c := range []struct{ name, first, last, wantFirst, wantLast string }{
		{"Mary Ann Miller", "Mary Ann", "Smith", "Mary Ann", "Miller"},
		{"Anna van der Berg", "Ann", "van der Berg", "Anna", "van der Berg"},
		{"  Jane   Doe ", "", "", "Jane", "Doe"},
		{"Jane", "Jane", "Doe", "Jane", ""},
	} {
		if first, last := SplitName(c.name, c.first, c.last); first != c.wantFirst || last != c.wantLast {
			t.Errorf("%q is split into %q and %q", c.name, first, last)
		}
	}
}
