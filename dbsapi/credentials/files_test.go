package credentials_test

import (
	"os"
	"path/filepath"
	"strings"
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
			texts := map[string]credentials.Text{"read " + path: credentials.File(path)}
			if tt.content != "" { // a text that is not given is none, no error
				texts["value"] = credentials.Given(tt.content)
			}
			for from, text := range texts {
				got, err := text.Read()
				want := tt.want
				if tt.err != "" {
					want = from + ": " + tt.err
				}
				if err != nil {
					got = err.Error()
				}
				if got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			}
		})
	}
}

// A text that is not given is read as none.
func TestNoText(t *testing.T) {
	for name, text := range map[string]credentials.Text{"zero": {}, "empty": credentials.Given("")} {
		if got, err := text.Read(); got != "" || err != nil {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
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
		writeFile(t, "large", strings.Repeat("x", 64<<10+1)): "it is too large, more than 64 KiB",
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
