package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
)

type versionCmd struct {
	asJSON
}

// Run prints the version that the build recorded.
func (c versionCmd) Run() error {
	if c.JSON {
		return printJSON(os.Stdout, map[string]string{"version": version(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
	}
	fmt.Println("milepost", version())
	return nil
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}
