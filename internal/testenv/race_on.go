//go:build race

package testenv

// sideBySide is how many tests of a package run at once: under the race detector
// they no longer mostly wait.
const sideBySide = "4"

// Raced says whether the race detector is on. It makes SQLite some thirty times as slow.
const Raced = true
