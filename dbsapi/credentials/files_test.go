package credentials_test

import (
	"os"
	"testing"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

// Secrets in files are read again when they change; while a file is away the last good ones stay.
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
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		get("new")
		_, err := credentials.NewKeys(credentials.Given(keyMark), credentials.File(secret), credentials.Text{}).Get(t.Context())
		want := map[string]string{"gone": "no such file or directory", "empty": "it is empty", "huge": "the file is too large for a secret"}[what]
		if err == nil || err.Error() != "access_key_secret: read "+secret+": "+want {
			t.Errorf("%s: %v", what, err)
		}
	}
	if !k.ExpiresAt().IsZero() {
		t.Error("keys expire")
	}
}
