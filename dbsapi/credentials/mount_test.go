package credentials_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

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

// A plain file beside ..data is read, not the one behind ..data that has its
// name; a link goes where it points to.
func TestPlainFilesBesideData(t *testing.T) {
	m := newMount(t)
	plain, renamed := filepath.Join(m.folder, "token"), filepath.Join(m.folder, "renamed")
	shadow := filepath.Join(m.folder, mounted[0])
	err := errors.Join(
		os.WriteFile(plain, []byte("plain"), 0o600), os.Remove(shadow), os.WriteFile(shadow, []byte("in-front"), 0o600),
		os.Symlink(filepath.Join("..data", mounted[1]), renamed),
	)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		plain: "plain", shadow: "in-front", renamed: "access_key_secret-0", filepath.Join(m.folder, mounted[2]): "security_token-0",
	} {
		if got, err := credentials.File(path).Read(); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", filepath.Base(path), got, err, want)
		}
	}
}

// Files below several folders of one mount are of one version too.
func TestKeysInFolders(t *testing.T) {
	root := t.TempDir()
	swap := func(version int) {
		folder := filepath.Join(root, fmt.Sprintf("..2026_%d", version))
		var err error
		for _, name := range mounted {
			err = errors.Join(err, os.MkdirAll(filepath.Join(folder, name), 0o700),
				os.WriteFile(filepath.Join(folder, name, "key"), fmt.Appendf(nil, "%s-%d", name, version), 0o600))
		}
		next := filepath.Join(root, "..data_tmp")
		// The old version stays for a while, so that nothing but the
		// link tells that it is old.
		if err = errors.Join(err, os.Symlink(filepath.Base(folder), next), os.Rename(next, filepath.Join(root, "..data"))); err != nil {
			t.Error(err)
		}
	}
	swap(0)
	for _, name := range mounted {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	path := func(i int) credentials.Text { return credentials.File(filepath.Join(root, mounted[i], "key")) }
	done := make(chan struct{})
	var swapping sync.WaitGroup
	swapping.Go(func() {
		for version := 1; ; version++ {
			select {
			case <-done:
				return
			default:
				swap(version)
			}
		}
	})
	versions := make(map[credentials.Credentials]bool)
	for all := 0; all < 1000 || len(versions) < 100; all++ {
		cred, err := credentials.NewKeys(path(0), path(1), path(2)).Get(t.Context())
		if err != nil {
			continue // they change faster than they can be read
		}
		if !whole(cred) {
			t.Errorf("%s %s %s", cred.AccessKeyID(), cred.AccessKeySecret(), cred.SecurityToken())
		}
		versions[cred] = true
	}
	close(done)
	swapping.Wait()
}
