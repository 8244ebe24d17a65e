//go:build !race

package testenv

const sideBySide = "16"

// Raced says whether the race detector is on. It makes SQLite some thirty times as slow.
const Raced = false
