package credentials_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// whileSwapping reads while versions are swapped in. A swap starts before every
// few reads and after the one before has ended, so that no read, however slow the
// machine is, meets others than the version that is swapped in and the last.
func whileSwapping(swap, read func(version int)) {
	const reads, readsPerSwap = 1_500, 3
	next := make(chan int)
	var swapping sync.WaitGroup
	swapping.Go(func() {
		for version := range next {
			swap(version)
		}
	})
	for i := range reads {
		version := i/readsPerSwap + 1
		if i%readsPerSwap == 0 {
			next <- version
		}
		read(version)
	}
	close(next)
	swapping.Wait()
}

// checkVersion fails the test unless new keys, which have none to fall back to,
// are of the version that is swapped in or the last.
func checkVersion(t *testing.T, k *credentials.Keys, version int) {
	t.Helper()
	cred, err := k.Get(t.Context())
	if id := cred.AccessKeyID(); err != nil || !whole(cred) ||
		!slices.Contains([]string{fmt.Sprintf("access_key_id-%d", version-1), fmt.Sprintf("access_key_id-%d", version)}, id) {
		t.Errorf("while version %d is swapped in: %s %s %s, %v", version, id, cred.AccessKeySecret(), cred.SecurityToken(), err)
	}
}

// Keys are of one version, however often they are replaced while they are read.
func TestKeysAreOfOneVersion(t *testing.T) {
	m := newMount(t)
	whileSwapping(
		func(version int) { m.swap(t, version) },
		func(version int) { checkVersion(t, m.keys(), version) },
	)
}

// The same for a link to the folder itself.
func TestKeysBehindOtherLinks(t *testing.T) {
	root := t.TempDir()
	m := &mount{folder: filepath.Join(root, "current")}
	swap := func(version int) {
		dir, next := filepath.Join(root, fmt.Sprint(version)), filepath.Join(root, "next")
		err := os.Mkdir(dir, 0o700)
		for _, name := range mounted {
			err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), fmt.Appendf(nil, "%s-%d", name, version), 0o600))
		}
		err = errors.Join(err, os.Symlink(filepath.Base(dir), next), os.Rename(next, m.folder),
			os.RemoveAll(filepath.Join(root, fmt.Sprint(version-2)))) // the last one stays
		if err != nil {
			t.Error(err)
		}
	}
	swap(0)
	whileSwapping(swap, func(version int) { checkVersion(t, m.keys(), version) })
}

// Plain files are read again each time. While one is away the last keys stay,
// and without any there is an error that names the file.
func TestKeysInPlainFiles(t *testing.T) {
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
	if err := os.Remove(filepath.Join(folder, mounted[2])); err != nil {
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
	version := func(n int) string { return filepath.Join(root, fmt.Sprintf("..2026_%d", n)) }
	swap := func(n int) {
		var err error
		for _, name := range mounted {
			err = errors.Join(err, os.MkdirAll(filepath.Join(version(n), name), 0o700),
				os.WriteFile(filepath.Join(version(n), name, "key"), fmt.Appendf(nil, "%s-%d", name, n), 0o600))
		}
		next := filepath.Join(root, "..data_tmp")
		// The last version stays, so that nothing but the link tells that it
		// is old.
		err = errors.Join(err, os.Symlink(filepath.Base(version(n)), next), os.Rename(next, filepath.Join(root, "..data")),
			os.RemoveAll(version(n-2)))
		if err != nil {
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
	whileSwapping(swap, func(n int) { checkVersion(t, credentials.NewKeys(path(0), path(1), path(2)), n) })
}
