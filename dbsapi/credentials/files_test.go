package credentials_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

// Values are taken without what editors put around them; what is inside must be
// one word.
func TestTextRead(t *testing.T) {
	const (
		inner = "there is white space or a control character inside the value"
		empty = "it is empty"
	)
	tests := []struct {
		name, content, want, err string
	}{
		{"plain", "secret", "secret", ""},
		{"line feed", "secret\n", "secret", ""},
		{"Windows", "\ufeffsecret\r\n\r\n", "secret", ""},
		{"blanks", " \t\u00a0secret\u3000 \n", "secret", ""},
		{"mark at the end", "secret\ufeff", "secret", ""},
		{"blank inside", "sec ret", "", inner},
		{"lines", "secret\nother", "", inner},
		{"tab inside", "sec\tret", "", inner},
		{"UTF-16", "s\x00e\x00c\x00", "", inner},
		{"escape", "sec\x1b[2Jret", "", inner},
		{"nothing", "", "", empty},
		{"blanks only", " \ufeff\n ", "", empty},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := writeFile(t, "value", tt.content)
			for from, text := range map[string]credentials.Text{"read " + path: credentials.File(path), "value": credentials.Given(tt.content)} {
				got, err := text.Read()
				want := tt.want
				if tt.err != "" {
					want = from + ": " + tt.err
				}
				if err != nil {
					got = err.Error()
				}
				if got != want && tt.content != "" { // a text that is not given is none, no error
					t.Errorf("got %q, want %q", got, want)
				}
			}
		})
	}
}

// Errors name the key, and no value.
func TestKeysNameTheKey(t *testing.T) {
	good := credentials.Given("good")
	bad := credentials.File(writeFile(t, "bad", "two words"))
	for key, k := range map[string]*credentials.Keys{
		"access_key_id":     credentials.NewKeys(bad, good, good),
		"access_key_secret": credentials.NewKeys(good, bad, credentials.Text{}),
		"security_token":    credentials.NewKeys(good, good, bad),
	} {
		if _, err := k.Get(t.Context()); err == nil || !strings.HasPrefix(err.Error(), key+": read ") || strings.Contains(err.Error(), "words") {
			t.Errorf("%s: %v", key, err)
		}
	}
	if _, err := credentials.NewKeys(good, credentials.Given("two words"), good).Get(t.Context()); err == nil ||
		err.Error() != "access_key_secret: there is white space or a control character inside the value" {
		t.Errorf("got %v", err)
	}
}

// A pipe without a writer, a folder, a device or a large file in the place of a
// secret holds nobody.
func TestUnusualFiles(t *testing.T) {
	folder := t.TempDir()
	pipe := filepath.Join(folder, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(folder, "link")
	if err := os.Symlink(pipe, link); err != nil {
		t.Fatal(err)
	}
	circle := filepath.Join(folder, "circle")
	if err := os.Symlink(circle, circle); err != nil {
		t.Fatal(err)
	}
	const other = "it is not a regular file"
	for path, want := range map[string]string{
		pipe: other, link: other, folder: other, "/dev/zero": other, "/dev/null": other,
		circle: "too many levels of symbolic links",
		writeFile(t, "large", strings.Repeat("x", 64<<10+1)): "the file is too large for a secret",
		filepath.Join(folder, "none"):                        "no such file or directory",
	} {
		if _, err := credentials.File(path).Read(); err == nil || err.Error() != "read "+path+": "+want {
			t.Errorf("%s: %v", path, err)
		}
		k := credentials.NewKeys(credentials.Given("id"), credentials.File(path), credentials.Text{})
		if _, err := k.Get(t.Context()); err == nil || err.Error() != "access_key_secret: read "+path+": "+want {
			t.Errorf("%s: %v", path, err)
		}
	}
	if got, err := credentials.File(writeFile(t, "full", strings.Repeat("x", 64<<10))).Read(); err != nil || len(got) != 64<<10 {
		t.Errorf("64 KiB: %d bytes, %v", len(got), err)
	}
}

// Secrets in files are read again when they change; while a file is away the
// last good ones stay.
func TestKeys(t *testing.T) {
	secret := writeFile(t, "secret", secretMark+"\n")
	k := credentials.NewKeys(credentials.Given(keyMark), credentials.File(secret), credentials.Text{})
	get := func(want string) {
		t.Helper()
		if cred, err := k.Get(t.Context()); err != nil || cred.AccessKeySecret() != want || cred.AccessKeyID() != keyMark {
			t.Errorf("got %s and %v, want %s", cred.AccessKeySecret(), err, want)
		}
	}
	get(secretMark)
	old, err := k.Get(t.Context())
	if err != nil || k.Reject(old) {
		t.Errorf("a rejected key that nobody changed is worth another attempt, %v", err)
	}
	if err := os.WriteFile(secret, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if !k.Reject(old) {
		t.Error("a key that changed is not worth another attempt")
	}
	get("new")
	for what, spoil := range map[string]func() error{
		"gone":  func() error { return os.Remove(secret) },
		"empty": func() error { return os.WriteFile(secret, []byte(" \n"), 0o600) },
		"huge":  func() error { return os.WriteFile(secret, make([]byte, 1<<20), 0o600) },
		"lines": func() error { return os.WriteFile(secret, []byte("a\nb"), 0o600) },
	} {
		if err := spoil(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		get("new")
	}
	if !k.ExpiresAt().IsZero() {
		t.Error("keys expire")
	}
}

// mount is a secret as Kubernetes mounts it: files are links to ..data, which
// is a link to a folder per version.
type mount struct {
	folder string
	last   string
}

var mounted = []string{"access_key_id", "access_key_secret", "security_token"}

func newMount(t *testing.T) *mount {
	t.Helper()
	m := &mount{folder: t.TempDir()}
	m.swap(t, 0)
	for _, name := range mounted {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(m.folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// swap mounts another version, in the steps of the kubelet (AtomicWriter in
// k8s.io/kubernetes/pkg/volume/util).
func (m *mount) swap(t *testing.T, version int) {
	t.Helper()
	folder := filepath.Join(m.folder, fmt.Sprintf("..2026_11_24_%d", version))
	err := os.Mkdir(folder, 0o700)
	for _, name := range mounted {
		err = errors.Join(err, os.WriteFile(filepath.Join(folder, name), fmt.Appendf(nil, "%s-%d\n", name, version), 0o600))
	}
	next := filepath.Join(m.folder, "..data_tmp")
	err = errors.Join(err, os.Symlink(filepath.Base(folder), next), os.Rename(next, filepath.Join(m.folder, "..data")))
	if m.last != "" {
		err = errors.Join(err, os.RemoveAll(m.last))
	}
	if err != nil {
		t.Error(err)
	}
	m.last = folder
}

func (m *mount) keys() *credentials.Keys {
	path := func(name string) credentials.Text { return credentials.File(filepath.Join(m.folder, name)) }
	return credentials.NewKeys(path(mounted[0]), path(mounted[1]), path(mounted[2]))
}

// whole reports whether all parts of the keys are of one version.
func whole(cred credentials.Credentials) bool {
	version := strings.TrimPrefix(cred.AccessKeyID(), "access_key_id")
	return strings.HasPrefix(version, "-") && cred.AccessKeySecret() == "access_key_secret"+version && cred.SecurityToken() == "security_token"+version
}

// Keys are of one version, however often they are replaced while they are read.
func TestKeysAreOfOneVersion(t *testing.T) {
	const reads = 10_000
	m := newMount(t)
	done := make(chan struct{})
	var swapping sync.WaitGroup
	swaps := 0
	swapping.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				swaps++
				m.swap(t, swaps)
			}
		}
	})
	all, mixed, failed, versions := 0, 0, 0, make(map[credentials.Credentials]bool)
	for ; all < reads || len(versions) < 100; all++ {
		cred, err := m.keys().Get(t.Context()) // new ones each time: none to fall back to
		switch {
		case err != nil:
			failed++
		case !whole(cred):
			mixed++
		}
		versions[cred] = true
	}
	close(done)
	swapping.Wait()
	if mixed > 0 || failed > 0 {
		t.Errorf("%d of %d reads mix versions, %d fail; %d versions were seen of %d", mixed, all, failed, len(versions), swaps)
	}
}

// The same for a link to the folder itself, which goes to and fro, and for
// files that are replaced one by one.
func TestKeysBehindOtherLinks(t *testing.T) {
	folder := t.TempDir()
	for version := range 2 {
		dir := filepath.Join(folder, fmt.Sprint(version))
		err := os.Mkdir(dir, 0o700)
		for _, name := range mounted {
			err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), fmt.Appendf(nil, "%s-%d", name, version), 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	m := &mount{folder: filepath.Join(folder, "current")}
	turn := func(version int) {
		next := filepath.Join(folder, "next")
		if err := errors.Join(os.Symlink(fmt.Sprint(version), next), os.Rename(next, m.folder)); err != nil {
			t.Error(err)
		}
	}
	turn(0)
	done := make(chan struct{})
	var turning sync.WaitGroup
	turning.Go(func() {
		for i := 1; ; i++ {
			select {
			case <-done:
				return
			default:
				turn(i % 2)
			}
		}
	})
	for range 5000 {
		if cred, err := m.keys().Get(t.Context()); err != nil || !whole(cred) {
			t.Fatalf("%v, %s %s %s", err, cred.AccessKeyID(), cred.AccessKeySecret(), cred.SecurityToken())
		}
	}
	close(done)
	turning.Wait()
}

// Files that somebody writes one after the other are read until they hold
// still; while they do not, the last keys stay.
func TestKeysWhileFilesChange(t *testing.T) {
	folder := t.TempDir()
	m := &mount{folder: folder}
	write := func(version int) {
		for _, name := range mounted {
			next := filepath.Join(folder, "next")
			if err := errors.Join(os.WriteFile(next, fmt.Appendf(nil, "%s-%d", name, version), 0o600), os.Rename(next, filepath.Join(folder, name))); err != nil {
				t.Error(err)
			}
		}
	}
	write(0)
	k := m.keys()
	if cred, err := k.Get(t.Context()); err != nil || !whole(cred) {
		t.Fatal(err)
	}
	write(1)
	if cred, err := k.Get(t.Context()); err != nil || !whole(cred) || !strings.HasSuffix(cred.AccessKeyID(), "-1") {
		t.Errorf("%s, %v", cred.AccessKeyID(), err)
	}
	if err := os.Remove(filepath.Join(folder, mounted[2])); !errors.Is(err, nil) && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if cred, err := k.Get(t.Context()); err != nil || !strings.HasSuffix(cred.SecurityToken(), "-1") {
		t.Errorf("%s, %v", cred.SecurityToken(), err)
	}
	if _, err := m.keys().Get(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "security_token: read ") {
		t.Errorf("got %v", err)
	}
}
