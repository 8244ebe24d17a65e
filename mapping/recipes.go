package mapping

import (
	_ "embed"
	"slices"
)

//go:embed recipes.yaml
var recipes []byte

// Recipes returns the ready-made automations as YAML, with comments, to read, to
// copy and to load.
func Recipes() []byte { return slices.Clone(recipes) }
