package packaging

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"test/internal/exporter"
)

// The check of the wording finds what it should, in every kind of file. A search that fails is not a clean one.
func TestPlainEnglish(t *testing.T) {
	const clean, bad, failed = 0, 1, 2
	for _, tt := range []struct {
		name, file, text string
		want             int
	}{
		{"clean comment", "main.go", "// Prometheus asks what it needs.\n", clean},
		{"opener", "main.go", "// What it needs, it asks for.\n", bad},
		{"opener before a name", "main.go", "// What Prometheus asks for.\n", bad},
		{"second sentence", "build.sh", "# Installs programs. What is there is left alone.\n", bad},
		{"Makefile", "Makefile", "# Where it is written, it stays.\n", bad},
		{"file without an extension", ".ci/run", "# Whatever fails ends it.\n", bad},
		{"phrase", "values.yaml", "# It tells whether it works.\n", bad},
		{"text", "README.md", "What Prometheus asks for, it gets.\n", bad},
		{"heading", "README.md", "## What to do\n", clean},
		{"test data", "web/testdata/page.txt", "good listing\n", clean},
		{"no repository", "", "", failed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			script, err := os.ReadFile(filepath.Join(exporter.Root(t), "test", "tools", "plain-english"))
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "test", "tools", "plain-english"), script)
			if tt.file != "" {
				write(t, filepath.Join(dir, filepath.FromSlash(tt.file)), []byte(tt.text))
				git(t, dir, "init", "--quiet")
				git(t, dir, "add", "--all")
			}
			cmd := exec.CommandContext(t.Context(), "sh", filepath.Join(dir, "test", "tools", "plain-english"))
			cmd.Env = gitEnv(dir)
			out, err := cmd.CombinedOutput()
			if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if got := cmd.ProcessState.ExitCode(); got != tt.want {
				t.Errorf("exit code %d, want %d\n%s", got, tt.want, out)
			}
		})
	}
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// git runs a command of git in a folder.
func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir, cmd.Env = dir, gitEnv(dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
}

// gitEnv makes a folder the repository, also where a hook of git runs the tests of another.
func gitEnv(dir string) []string {
	repository := filepath.Join(dir, ".git")
	return append(os.Environ(), "GIT_DIR="+repository, "GIT_INDEX_FILE="+filepath.Join(repository, "index"))
}
