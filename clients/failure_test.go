package clients

import "testing"

func TestAVendorsWordsLoseWhomTheyAreAbout(t *testing.T) {
	for said, want := range map[string]string{
		"cannot load jane.leak@example.com +15555550123 x":               "cannot load [e-mail] [number] x",
		`"email" with value "jane+x@mail.example.co.uk" fails`:           `"email" with value "[e-mail]" fails`,
		"search?query=jane%40example.com failed":                         "search?query=[e-mail] failed",
		"duplicate phone (555) 555-0123":                                 "duplicate phone [number]",
		"duplicate phone 555.555.0123, 5555550123":                       "duplicate phone [number], [number]",
		"Contact with id ve9EPM428h8vShlRW1KT not found":                 "Contact with id ve9EPM428h8vShlRW1KT not found",
		"no task 0123456789abcdef01234567":                               "no task 0123456789abcdef01234567",
		"no task 012345678901234567890123":                               "no task 012345678901234567890123",
		"trace 8f14e45f-ceea-467f-8123-456789012345":                     "trace 8f14e45f-ceea-467f-8123-456789012345",
		"dateStart 2026-12-01T15:00:00.000Z and 2026-12-01 are past":     "dateStart 2026-12-01T15:00:00.000Z and 2026-12-01 are past",
		"take must be less than or equal to 100, version 2021-07-28":     "take must be less than or equal to 100, version 2021-07-28",
		"limit of 200000 a day is reached; statusCode 429, 400 and 4000": "limit of 200000 a day is reached; statusCode 429, 400 and 4000",
	} {
		if got := plain(said, nil, 300); got != want {
			t.Errorf("%q became %q, want %q", said, got, want)
		}
	}
}
