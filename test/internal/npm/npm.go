// Package npm installs the Node.js packages that tests use.
package npm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// Dir is where the package.json of a test package is, with its node_modules.
const Dir = "npm"

// Install installs what Dir's lock file names, unless that was done before. Scripts of packages do not run.
var Install = sync.OnceValue(func() error {
	if _, err := exec.LookPath("node"); err != nil {
		return fmt.Errorf("node is not installed, run `make tools`: %w", err)
	}
	// npm writes this file last.
	_, err := os.Stat(filepath.Join(Dir, "node_modules", ".package-lock.json"))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund") //nolint:noctx // the test's own deadline ends it
	install.Dir = Dir
	if output, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci in %s: %w\n%s", Dir, err, output)
	}
	return nil
})
