package mapping

import "testing"

func TestOnlyIANANamesAreZones(t *testing.T) {
	for _, name := range []string{"UTC", "America/New_York", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "America/Port-au-Prince", "GMT", "EST5EDT"} {
		if z, err := LoadZone(name); err != nil || z.String() != name {
			t.Errorf("LoadZone(%q) = %v, %v", name, z, err)
		}
	}
	for _, name := range []string{
		"", " ", "Local", "local", "LOCAL", "UTC+5", "UTC-05:00", "GMT+5:30", "+05:00", "Eastern Standard Time", "W. Europe Standard Time",
		"(UTC-05:00) Eastern Time (US & Canada)", "Eastern", "../../etc/passwd", "/etc/localtime", "America/../America/New_York",
		"America/New_York\x00", " America/New_York", `America\New_York`, "America", "Etc", "Mars/Olympus", "zone.tab", "tzdata.zi", "Factory",
		"posix/Europe/Berlin",
	} {
		if z, err := LoadZone(name); err == nil {
			t.Errorf("LoadZone(%q) = %v, want an error", name, z)
		}
	}
}
