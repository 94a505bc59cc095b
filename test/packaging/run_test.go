//go:build suites

package packaging

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"test/internal/exporter"
)

// patience bounds a command; the longest compiles the exporter for six platforms.
const patience = 30 * time.Minute

// command prepares a program that `make tools` installs, or that the system has.
func command(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, exporter.Tool(t, name), args...)
}

// output runs a command and returns its standard output.
func output(cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s: %w\n%s%s", cmd, err, &stdout, &stderr)
	}
	return stdout.String(), nil
}

// must is [output] for commands that may not fail.
func must(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	out, err := output(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
