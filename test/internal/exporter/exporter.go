// Package exporter runs the real binary for tests from outside: as its users start, scrape, signal and stop it.
package exporter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for the process; a machine that compiles beside the tests is slow.
const patience = time.Minute

// Root returns the folder of the exporter's module.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "main.go")); err == nil {
			if _, err := os.Stat(filepath.Join(dir, "collector")); err == nil {
				return dir
			}
		}
	}
	t.Fatal("the tests do not run inside the exporter's folder")
	return ""
}

var build struct {
	once   sync.Once
	binary string
	err    error
}

// Binary builds the exporter, once for all tests of a package, with the race detector. If EXPORTER_BINARY names one that
// is built already, it is that.
func Binary(t testing.TB) string {
	t.Helper()
	root := Root(t)
	build.once.Do(func() {
		if build.binary = os.Getenv("EXPORTER_BINARY"); build.binary != "" {
			return
		}
		var dir string
		if dir, build.err = os.MkdirTemp("", "exporter"); build.err != nil {
			return
		}
		build.binary = filepath.Join(dir, "aliyun_dbs_exporter")
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "go", "build", "-race", "-o", build.binary, ".")
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			build.err = fmt.Errorf("build the exporter: %w\n%s", err, out)
		}
	})
	if build.err != nil {
		t.Fatal(build.err)
	}
	return build.binary
}

// Clean removes what Binary built; a TestMain calls it last.
func Clean() {
	if build.binary != "" && build.binary != os.Getenv("EXPORTER_BINARY") {
		os.RemoveAll(filepath.Dir(build.binary))
	}
}

// Tool returns the path of a program that `make tools` installs.
func Tool(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range []string{os.Getenv("TOOLS_BIN"), filepath.Join(Root(t), ".tools", "bin")} {
		if path := filepath.Join(dir, name); dir != "" {
			if _, err := os.Stat(path); err == nil {
				return path
			}
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed: run `make tools`", name)
	}
	return path
}

// Options are how a process is started.
type Options struct {
	// Config is written to a file that --config.file names, unless it is empty.
	Config string
	Args   []string
	// Env is added to an environment without proxies and exporter flags.
	Env []string
	// Scheme of the URL; http where empty.
	Scheme string
	// Address to listen at; a free one where empty.
	Address string
	// Signal is sent with the first line of the log, before the process listens.
	Signal syscall.Signal
}

// command prepares a run without starting it.
func command(ctx context.Context, t testing.TB, o Options) *exec.Cmd {
	t.Helper()
	args := o.Args
	if o.Config != "" {
		args = append([]string{"--config.file=" + WriteFile(t, "config.yml", o.Config)}, args...)
	}
	cmd := exec.CommandContext(ctx, Binary(t), args...)
	// The race detector waits a second at the end of every process, for reports that come late.
	cmd.Env = []string{"GORACE=atexit_sleep_ms=50"}
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(strings.ToUpper(pair), "="); !strings.HasSuffix(name, "_PROXY") && !strings.HasPrefix(name, "ALIYUN_") && !strings.HasPrefix(name, "ALIBABA_") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	cmd.Env = append(cmd.Env, o.Env...) // the last one counts
	return cmd
}

// WriteFile writes a file into a folder of the test's own.
func WriteFile(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Result is how a run ended.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Run runs the exporter to its end.
func Run(t testing.TB, o Options) Result {
	t.Helper()
	Binary(t) // takes longer than a run
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := command(ctx, t, o)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return Result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// FreeAddress returns an address on this host where nothing listens.
func FreeAddress(t testing.TB) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// Eventually asks 20 times a second until there is no error.
func Eventually(t testing.TB, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("after %v: %v", patience, err)
		}
	}
}
