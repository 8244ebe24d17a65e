package order_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"milepost/internal/order"
)

func TestByIsAStableSort(t *testing.T) {
	type pair struct{ key, place int }
	byKey := func(a, b pair) int { return cmp.Compare(a.key, b.key) }
	for n := range 50 {
		list := make([]pair, n)
		for i := range list {
			list[i] = pair{rand.IntN(7), i}
		}
		want := slices.Clone(list)
		slices.SortStableFunc(want, byKey)
		if order.By(list, byKey); !slices.Equal(list, want) {
			t.Fatalf("it sorts %d elements to %v, want %v", n, list, want)
		}
	}
}
