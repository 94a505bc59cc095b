//go:build suites

package web_test

const stormReloads = 500
