// Package npm finds the Node.js packages that tests use.
package npm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Dir is where the package.json of a test package is, with its node_modules.
const Dir = "npm"

// Installed returns an error unless Node.js and the packages that Dir's lock file names are installed.
func Installed() error {
	if _, err := exec.LookPath("node"); err != nil {
		return fmt.Errorf("node is not installed: run `make tools`: %w", err)
	}
	// npm writes this file last.
	if _, err := os.Stat(filepath.Join(Dir, "node_modules", ".package-lock.json")); err != nil {
		return fmt.Errorf("npm packages are not installed: run `make tools`: %w", err)
	}
	return nil
}
