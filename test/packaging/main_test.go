// Package packaging builds what is published and runs it where it is meant to run: packages under systemd, the image in
// a container, the chart against the Kubernetes API types. The tests with the tag suites need root, and what `make tools`
// installs.
package packaging

import (
	"fmt"
	"os"
	"testing"

	"test/internal/exporter"
)

// scratch is a folder for what tests build together. It is removed at the end.
var scratch string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "packaging"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	defer exporter.Clean()
	return m.Run()
}
