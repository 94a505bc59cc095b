package exporter_test

import (
	"os"
	"path/filepath"
	"testing"

	"test/internal/exporter"
)

// Root finds the module wherever it was cloned to, also below a folder that is named as one of its own.
func TestRoot(t *testing.T) {
	for _, clone := range []string{"aliyun_dbs_exporter", "test", "test/aliyun_dbs_exporter", "collector/clone"} {
		t.Run(clone, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), filepath.FromSlash(clone))
			for _, dir := range []string{"collector", "test/e2e", "test/bench"} {
				if err := os.MkdirAll(filepath.Join(root, filepath.FromSlash(dir)), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			for _, file := range []string{"main.go", "test/bench/main.go"} {
				if err := os.WriteFile(filepath.Join(root, filepath.FromSlash(file)), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, dir := range []string{".", "collector", "test/e2e", "test/bench"} {
				t.Chdir(filepath.Join(root, filepath.FromSlash(dir)))
				if got := exporter.Root(t); got != root {
					t.Errorf("in %s: %s, want %s", dir, got, root)
				}
			}
		})
	}
}
