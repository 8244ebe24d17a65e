// Package order sorts slices of structs without code of its own for each type.
//
// The compiler makes some 20 KB of slices.SortFunc for every struct type that it
// sorts. All pointers share one copy, so By sorts pointers to the elements.
package order

import "slices"

// By sorts a list as compare says, and keeps the order of equal elements.
func By[T any](list []T, compare func(a, b T) int) {
	places := make([]*T, len(list))
	for i := range list {
		places[i] = &list[i]
	}
	slices.SortStableFunc(places, func(a, b *T) int { return compare(*a, *b) })
	sorted := make([]T, len(list))
	for i, p := range places {
		sorted[i] = *p
	}
	copy(list, sorted)
}
