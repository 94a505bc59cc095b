//go:build !suites || race

package download_test

// The race detector makes histories eight times as slow, so there are few of them
// here, and the long one is short.
const (
	histories   = 20 // of each property and order
	longHistory = 1_000
)

// shuffledPolls are the requests of polls of a long list without an order.
var shuffledPolls = []int{5, 6, 5, 6}
