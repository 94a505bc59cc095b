package exporter

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// StopTime bounds the wait for the end of a process that was told to stop. The exporter promises to stop within 5 s,
// which a busy machine may miss; a test must set up what would take longer than this.
const StopTime = 30 * time.Second

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
