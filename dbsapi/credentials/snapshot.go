package credentials

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	// maxFile bounds a file that holds secrets; session tokens have about a
	// kilobyte.
	maxFile = 64 << 10
	// maxReads bounds how often the files of one block are read to find one
	// version of them.
	maxReads = 20
)

// readTexts returns the values of texts. Those in files are of one version: if
// a change replaces several of them, all values are from before it or all are
// from after it.
func readTexts(texts ...Text) ([]string, error) {
	for range maxReads {
		s := newSnapshot()
		if values, err := s.read(texts); !s.changed(err != nil) {
			return values, err
		}
	}
	return nil, &Error{Operation: "read credentials", Cause: "the files change faster than they can be read", kind: passing}
}

// folder is a folder with its links resolved. Kubernetes replaces all files of a
// mounted secret at once by turning the link ..data to another folder. The
// files behind it are fixed, and those of the mount are links to them.
type folder struct {
	path string
	data string // behind ..data; empty where there is no such link
}

// file returns where a file of the folder is, and whether it is fixed.
func (f folder) file(name string) (path string, fixed bool) {
	path = filepath.Join(f.path, name)
	if f.data == "" {
		return path, false
	}
	target, err := os.Readlink(path)
	behind, isData := strings.CutPrefix(filepath.Clean(target), "..data"+string(filepath.Separator))
	if err != nil || !isData {
		return path, false
	}
	return filepath.Join(f.data, behind), true
}

// snapshot is one reading of files. Links to folders are followed once, and all
// files come from behind them.
type snapshot struct {
	folders map[string]folder      // by the folder's name
	opened  map[string]fs.FileInfo // by path, but the fixed ones
}

func newSnapshot() *snapshot {
	return &snapshot{folders: make(map[string]folder), opened: make(map[string]fs.FileInfo)}
}

// read returns the values of texts, which are of one version unless something
// has changed meanwhile.
func (s *snapshot) read(texts []Text) ([]string, error) {
	values := make([]string, len(texts))
	for i, t := range texts {
		value, err := s.text(t)
		if err != nil {
			return nil, t.failed(err)
		}
		values[i] = value
	}
	return values, nil
}

func (s *snapshot) text(t Text) (string, error) {
	switch {
	case t.path != "":
		content, err := s.file(t.path)
		if err != nil {
			return "", err
		}
		return tidy(string(content))
	case t.value != (secret{}):
		return tidy(t.value.reveal())
	}
	return "", nil
}

// file returns the content of a file.
func (s *snapshot) file(path string) ([]byte, error) {
	parent, name := filepath.Split(path)
	in, known := s.folders[parent]
	if !known {
		in = locate(parent)
		s.folders[parent] = in
	}
	path, fixed := in.file(name)
	content, info, err := readRegular(path, maxFile)
	if info != nil && !fixed {
		s.opened[path] = info
	}
	return content, err
}

var (
	errNotRegular = errors.New("it is not a regular file")
	errTooLarge   = errors.New("it is too large")
)

// ReadFile returns the content of a regular file of at most limit bytes. It
// cannot block. Its errors are of type [*fs.PathError].
func ReadFile(path string, limit int64) ([]byte, error) {
	content, _, err := readRegular(path, limit)
	if _, known := errors.AsType[*fs.PathError](err); err != nil && !known {
		err = &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return content, err
}

// readRegular returns the content of a regular file of at most limit bytes, and
// what was opened. It cannot block: a pipe or a device is not opened, and one
// that takes the place of a file is opened without waiting, and not read.
func readRegular(path string, limit int64) ([]byte, fs.FileInfo, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, nil, err
	case !info.Mode().IsRegular():
		return nil, nil, errNotRegular
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }()
	switch info, err = f.Stat(); {
	case err != nil:
		return nil, nil, err
	case !info.Mode().IsRegular():
		return nil, nil, errNotRegular
	}
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("%w, more than %d KiB", errTooLarge, limit>>10)
	}
	return content, info, err
}

// locate follows the links to a folder.
func locate(name string) folder {
	path, err := filepath.EvalSymlinks(filepath.Clean(name))
	if err != nil {
		return folder{path: name}
	}
	data, err := filepath.EvalSymlinks(filepath.Join(path, "..data"))
	if err != nil {
		data = ""
	}
	return folder{path: path, data: data}
}

// changed reports whether files changed while they were read. If reading
// failed, they may have gone with their folder; files in several folders may be
// from before and after a change.
func (s *snapshot) changed(readFailed bool) bool {
	for path, info := range s.opened {
		now, err := os.Stat(path)
		if err != nil || !os.SameFile(now, info) || now.Size() != info.Size() || !now.ModTime().Equal(info.ModTime()) {
			return true
		}
	}
	if readFailed || len(s.folders) > 1 {
		for name, was := range s.folders {
			if locate(name) != was {
				return true
			}
		}
	}
	return false
}
