// Package version says which Milepost this is.
package version

import (
	"cmp"
	"runtime"
	"runtime/debug"
)

// A release sets these with -ldflags -X. Other builds have what Go recorded.
var version, commit, date string

// Info says what a binary was made from.
type Info struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`   // its hash in Git
	Date     string `json:"date,omitempty"`     // of the commit, as of RFC 3339
	Modified bool   `json:"modified,omitempty"` // built from files that differ from the commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Get returns what this binary was made from.
func Get() Info {
	info := Info{Version: version, Commit: commit, Date: date, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if build, ok := debug.ReadBuildInfo(); ok {
		info.Version = cmp.Or(info.Version, build.Main.Version)
		for _, s := range build.Settings {
			switch s.Key {
			case "vcs.revision":
				info.Commit = cmp.Or(info.Commit, s.Value)
			case "vcs.time":
				info.Date = cmp.Or(info.Date, s.Value)
			case "vcs.modified":
				info.Modified = s.Value == "true"
			}
		}
	}
	info.Version = cmp.Or(info.Version, "unknown")
	return info
}
