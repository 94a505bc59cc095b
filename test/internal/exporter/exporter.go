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

// StopTime bounds the wait for the end of a process that was told to stop. It promises 5 s, which a busy machine may
// miss; a test must set up what would take longer than this.
const StopTime = 30 * time.Second

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

// Binary builds the exporter, once for all tests of a package, with the race detector.
func Binary(t testing.TB) string {
	t.Helper()
	root := Root(t)
	build.once.Do(func() {
		if build.binary = os.Getenv("E2E_BINARY"); build.binary != "" {
			return // built by the process that started this one
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
	if build.binary != "" && build.binary != os.Getenv("E2E_BINARY") {
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

// Output is what a process writes; it may be read while it grows.
type Output struct {
	// first is called before the first piece is kept, if it is set.
	first func()

	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.buf.Len() == 0 && o.first != nil {
		o.first()
	}
	return o.buf.Write(p)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// Process is a running exporter.
type Process struct {
	// URL is where it listens.
	URL            string
	Stdout, Stderr *Output

	t      testing.TB
	cmd    *exec.Cmd
	exited chan struct{}
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

// Start starts the exporter and waits until it listens. It is ended with the test.
func Start(t testing.TB, o Options) *Process {
	t.Helper()
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	o.Args = append([]string{"--web.listen-address=" + o.Address}, o.Args...)
	p := &Process{t: t, Stdout: new(Output), Stderr: new(Output), exited: make(chan struct{})}
	p.cmd = command(context.WithoutCancel(t.Context()), t, o)
	p.cmd.Stdout, p.cmd.Stderr = p.Stdout, p.Stderr
	if o.Signal != 0 {
		p.Stderr.first = func() { _ = p.cmd.Process.Signal(o.Signal) }
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait() // the state says the same
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // fails when it has ended
		<-p.exited
		if strings.Contains(p.Stderr.String(), "DATA RACE") {
			t.Errorf("the race detector says:\n%s", p.Stderr)
		}
	})
	if o.Scheme == "" {
		o.Scheme = "http"
	}
	Eventually(t, func() error {
		address, ok := p.listening()
		if !ok {
			select {
			case <-p.exited:
				t.Fatalf("the exporter ended:\n%s", p.Stderr)
			default:
			}
			return errors.New("the exporter does not listen")
		}
		p.URL = o.Scheme + "://" + address
		return nil
	})
	return p
}

// listening finds the address in the log, in either format.
func (p *Process) listening() (string, bool) {
	for line := range strings.Lines(p.Stderr.String()) {
		if !strings.Contains(line, "Listening on") {
			continue
		}
		if i := strings.Index(line, "127.0.0.1:"); i >= 0 && strings.HasSuffix(line, "\n") {
			return strings.TrimRight(strings.FieldsFunc(line[i:], func(r rune) bool { return r == ' ' || r == '"' || r == '\n' })[0], "}"), true
		}
	}
	return "", false
}

// Signal sends a signal.
func (p *Process) Signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// PID is the process's ID.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Running reports whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Wait waits for the end and returns the exit code, or fails the test after a time.
func (p *Process) Wait(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(limit):
		p.t.Fatalf("still running after %v:\n%s", limit, p.Stderr)
		return -1
	}
}

// FreeAddress is one of this host that nobody listens at.
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
