package credentials

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"
)

// Text is a value that may change, such as the content of a file. Its errors do not hold the value.
type Text func() (string, error)

// Given is a text that does not change.
func Given(value string) Text { return func() (string, error) { return value, nil } }

// maxFile bounds a file that holds one secret; session tokens have about a kilobyte.
const maxFile = 64 << 10

// File is the content of a file without the white space around it. It is read every time, which is once a request
// and from the page cache: a changed secret, as a Kubernetes mount replaces it, is in use at once.
func File(path string) Text {
	return func() (string, error) {
		info, err := os.Stat(path)
		if err != nil {
			return "", fileError(path, err)
		}
		if info.Size() > maxFile {
			return "", &Error{Operation: "read " + path, Class: "the file is too large for a secret"}
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return "", fileError(path, err)
		}
		value := strings.TrimSpace(string(content))
		if value == "" {
			return "", &Error{Operation: "read " + path, Class: "the file is empty"}
		}
		return value, nil
	}
}

func fileError(path string, err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	}
	return &Error{Operation: "read " + path, Class: err.Error()}
}

// Keys are an access key, with or without a session token, whose parts may be in files. While a file cannot be read
// the last good keys stay in use.
type Keys struct {
	accessKeyID, accessKeySecret, securityToken Text

	mu   sync.Mutex
	last Credentials
}

// NewKeys returns keys of the given parts; a nil token means that there is none.
func NewKeys(accessKeyID, accessKeySecret, securityToken Text) *Keys {
	if securityToken == nil {
		securityToken = Given("")
	}
	return &Keys{accessKeyID: accessKeyID, accessKeySecret: accessKeySecret, securityToken: securityToken}
}

// Get returns the keys as the files have them now.
func (k *Keys) Get(context.Context) (Credentials, error) {
	cred, err := k.read()
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err == nil:
		k.last = cred
	case k.last.AccessKeyID == "":
		return Credentials{}, err
	}
	return k.last, nil
}

func (k *Keys) read() (cred Credentials, err error) {
	id, err1 := k.accessKeyID()
	secret, err2 := k.accessKeySecret()
	token, err3 := k.securityToken()
	if err := errors.Join(err1, err2, err3); err != nil {
		return Credentials{}, err
	}
	return Credentials{AccessKeyID: id, AccessKeySecret: secret, SecurityToken: token}, nil
}

// Reject tells whether the files hold other keys by now.
func (k *Keys) Reject(c Credentials) bool {
	now, err := k.read()
	return err == nil && now != c
}

// ExpiresAt returns zero: given keys do not say when they end.
func (*Keys) ExpiresAt() time.Time { return time.Time{} }
