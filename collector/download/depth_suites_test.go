//go:build suites && !race

package download_test

const (
	histories   = 1_000 // of each property and order: 5,000 of each property
	longHistory = 10_000
)

// shuffledPolls are the requests of polls of a long list without an order.
var shuffledPolls = []int{6, 6, 6, 6}
