//go:build suites && !linux

package e2e

import "testing"

func TestECSRole(t *testing.T) {
	t.Fatal("needs a network namespace, which Linux alone has")
}
