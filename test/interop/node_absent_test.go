//go:build !suites

package interop_test

// nodeJudges need Node.js, which `make test-all` alone asks for.
var nodeJudges []opener
