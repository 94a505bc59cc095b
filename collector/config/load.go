package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxFile limits the size of a configuration file. A plan with all its keys
// takes 100 bytes, so that 40,000 plans fit.
const maxFile = 4 << 20

// Load reads a configuration file.
func Load(name string) (*Config, error) {
	text, err := read(name)
	if err != nil {
		if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
			err = pathErr.Err // which does not repeat the name
		}
		return nil, fmt.Errorf("read configuration %s: %w; name another file with --config.file", name, err)
	}
	return Parse(text, name)
}

// read returns the text of a file, or its first bytes beyond maxFile.
func read(name string) ([]byte, error) {
	switch info, err := os.Stat(name); {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, errors.New("it is a directory")
	case !info.Mode().IsRegular():
		// Opening a FIFO waits for a writer, and no signal would end that.
		return nil, errors.New("it is not a regular file")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// Parse reads the text of a configuration file. The name of the file is for
// errors, and paths in the text are relative to its directory.
//
// Mistakes in the text are of type [*Error].
func Parse(text []byte, name string) (*Config, error) {
	f := &file{name: name}
	c := new(Config)
	if err := f.decode(text, c); err != nil {
		return nil, err
	}
	c.setDirectory(filepath.Dir(name))
	if err := f.validate(c); err != nil {
		return nil, err
	}
	return c, nil
}
