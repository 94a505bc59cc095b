package credentials

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A reading counts if the files are as they were when it ends.
func TestSnapshotChanged(t *testing.T) {
	tests := []struct {
		name   string
		change func(folder, id string) error
		want   bool
	}{
		{"nothing", func(string, string) error { return nil }, false},
		{"another file", func(folder, _ string) error { return os.WriteFile(filepath.Join(folder, "other"), nil, 0o600) }, false},
		{"gone", func(_, id string) error { return os.Remove(id) }, true},
		{"longer", func(_, id string) error { return os.WriteFile(id, []byte("longer"), 0o600) }, true},
		{"as long, later", func(_, id string) error {
			return errors.Join(os.WriteFile(id, []byte("id-2"), 0o600), os.Chtimes(id, time.Time{}, time.Now().Add(time.Second)))
		}, true},
		{"another file in its place, as long and as old", func(folder, id string) error {
			was, err := os.Stat(id)
			if err != nil {
				return err
			}
			next := filepath.Join(folder, "next")
			return errors.Join(os.WriteFile(next, []byte("id-2"), 0o600), os.Chtimes(next, time.Time{}, was.ModTime()), os.Rename(next, id))
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			folder := t.TempDir()
			id := filepath.Join(folder, "id")
			if err := os.WriteFile(id, []byte("id-1"), 0o600); err != nil {
				t.Fatal(err)
			}
			s := newSnapshot()
			if values, err := s.read([]Text{File(id)}); err != nil || values[0] != "id-1" {
				t.Fatalf("read %q, %v", values, err)
			}
			if err := tt.change(folder, id); err != nil {
				t.Fatal(err)
			}
			if got := s.changed(false); got != tt.want {
				t.Errorf("changed is %t", got)
			}
		})
	}
}
