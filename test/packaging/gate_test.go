package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"test/internal/exporter"
)

// gateMakefile stands for the project's: each step says what it has to work with.
const gateMakefile = `test lint test-all fuzz:
	@echo "$@: ` + "`cat tracked`" + `, ` + "`ls | xargs`" + `, $${PATH#*:}, ` + "`ls $(HOME)`" + `"
	@git rev-parse --quiet --verify HEAD >/dev/null
`

// The gate tests what is tracked, in a clone, with programs of Go and the system alone, and leaves nothing behind.
func TestGate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, dir string)
		want   string // in the tracked file
		fails  bool
	}{
		{name: "commit", change: func(*testing.T, string) {}, want: "committed"},
		{name: "exported tree", change: func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, ".git")); err != nil {
				t.Fatal(err)
			}
		}, want: "committed"},
		{name: "untracked file", change: func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "untracked"), nil)
		}, want: "committed"},
		{name: "edited file", change: func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "tracked"), []byte("edited\n"))
		}, want: "edited"},
		{name: "step that fails", change: func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "Makefile"), []byte(gateMakefile+"\t@[ $@ != test-all ]\n"))
		}, want: "committed", fails: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir, temporary := t.TempDir(), t.TempDir()
			script, err := os.ReadFile(filepath.Join(exporter.Root(t), ".ci", "run"))
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, ".ci", "run"), script)
			write(t, filepath.Join(dir, "Makefile"), []byte(gateMakefile))
			write(t, filepath.Join(dir, "tracked"), []byte("committed\n"))
			git(t, dir, "init", "--quiet")
			git(t, dir, "add", "--all")
			git(t, dir, "-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false", "commit", "--quiet", "--message=Test")
			tt.change(t, dir)

			gate := exec.CommandContext(t.Context(), "bash", filepath.Join(dir, ".ci", "run"))
			gate.Env = append(os.Environ(), "TMPDIR="+temporary, "MAKEFLAGS=")
			out, err := gate.CombinedOutput()
			if (err != nil) != tt.fails {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, step := range []string{"test", "lint", "test-all"} {
				if want := "\n" + step + ": " + tt.want + ", Makefile tracked, /usr/sbin:/usr/bin:/sbin:/bin, \n"; !strings.Contains("\n"+string(out), want) {
					t.Errorf("the output lacks %q:\n%s", want, out)
				}
			}
			if ran := strings.Contains(string(out), "make fuzz"); ran == tt.fails {
				t.Errorf("the last step ran: %t\n%s", ran, out)
			}
			if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
				t.Errorf("it leaves %v, %v", left, err)
			}
		})
	}
}
