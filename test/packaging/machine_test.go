//go:build suites

package packaging

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"test/internal/exporter"
)

// haltTimeout is how long a machine may take to stop in good order.
const haltTimeout = time.Minute

// machine is a copy of this machine that systemd runs, without a network. Its changes are discarded.
type machine struct {
	t       *testing.T
	root    string
	manager *exec.Cmd
}

// boot starts a machine up to its basic target, so that no service of this one runs in it.
func boot(t *testing.T) *machine {
	t.Helper()
	dir := t.TempDir()
	m := &machine{t: t, root: filepath.Join(dir, "root")}
	// Writes go into memory, over the files of this machine.
	mount(t, dir, "-t", "tmpfs", "tmpfs")
	for _, name := range []string{"root", "upper", "work"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mount(t, m.root, "-t", "overlay", "overlay", "-o", fmt.Sprintf("lowerdir=/,upperdir=%[1]s/upper,workdir=%[1]s/work", dir))

	var log exporter.Output
	m.manager = exec.Command(exporter.Tool(t, "systemd-nspawn"), "--quiet", "--directory="+m.root, "--register=no", "--keep-unit",
		"--link-journal=no", "--private-network", "--console=pipe", "--boot", "systemd.unit=basic.target")
	m.manager.Stdout, m.manager.Stderr = &log, &log
	if err := m.manager.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.halt)
	exporter.Eventually(t, func() error {
		state, err := m.try("systemctl", "is-system-running")
		if state = strings.TrimSpace(state); state == "running" || state == "degraded" {
			return nil
		}
		return fmt.Errorf("the machine is %q, %w; it says: %s", state, err, &log)
	})
	return m
}

// mount mounts until the test ends.
func mount(t *testing.T, target string, args ...string) {
	t.Helper()
	must(t, command(t, "mount", append(args, target)...))
	t.Cleanup(func() {
		if out, err := exec.Command("umount", target).CombinedOutput(); err != nil {
			t.Errorf("umount %s: %v\n%s", target, err, out)
		}
	})
}

func (m *machine) halt() {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = m.manager.Wait() // only the end counts
	}()
	_ = m.manager.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(haltTimeout):
		m.t.Errorf("the machine does not stop in %v", haltTimeout)
		_ = m.manager.Process.Kill() // takes the machine along
		<-ended
	}
}

// try runs a command in the machine, with nothing of the test's environment.
func (m *machine) try(args ...string) (string, error) {
	m.t.Helper()
	manager := strconv.Itoa(m.manager.Process.Pid)
	children, err := os.ReadFile(filepath.Join("/proc", manager, "task", manager, "children"))
	if err != nil {
		return "", err
	}
	first := strings.TrimSpace(string(children))
	if first == "" || strings.Contains(first, " ") {
		return "", fmt.Errorf("the machine's first process is not there yet: %q", first)
	}
	cmd := command(m.t, "nsenter", append([]string{"--target=" + first, "--all", "--wd=/", "--"}, args...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LANG=C.UTF-8"}
	return output(cmd)
}

// run is [machine.try] for commands that may not fail.
func (m *machine) run(args ...string) string {
	m.t.Helper()
	out, err := m.try(args...)
	if err != nil {
		m.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// write writes a file of the machine, for root alone unless it is there.
func (m *machine) write(path, text string) {
	m.t.Helper()
	path = filepath.Join(m.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// copy copies a file of this machine into the root folder of the other, and returns its path there.
func (m *machine) copy(path string) string {
	m.t.Helper()
	target := "/" + filepath.Base(path)
	must(m.t, command(m.t, "cp", path, m.root+target))
	return target
}

// log is what a unit wrote and what systemd says about it.
func (m *machine) log(unit string) string {
	m.t.Helper()
	m.run("journalctl", "--sync")
	return m.run("journalctl", "--unit="+unit, "--output=cat", "--no-pager")
}
