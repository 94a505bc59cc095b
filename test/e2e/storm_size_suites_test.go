//go:build suites

package e2e

const stormReloads = 400
