//go:build !race

package testenv

const sideBySide = "16"
