//go:build !suites

package web_test

// stormReloads is few here: with the race detector, hundreds take minutes.
const stormReloads = 50
