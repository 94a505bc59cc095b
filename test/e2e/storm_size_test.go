//go:build !suites

package e2e

// stormReloads is few here: a second has 20 of them.
const stormReloads = 100
