package credentials

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync"
	"time"
	"unicode"
)

// Text is a secret, either given or in a file that may change. The zero Text
// stands for no secret.
type Text struct {
	value secret
	path  string
	key   string // the name in the configuration, for errors
}

// Given is a text that does not change.
func Given(value string) Text { return Text{value: hide(value)} }

// File is the content of a file. It is read again for every request, from the
// page cache, so that a secret that Kubernetes replaces is in use at once.
func File(path string) Text { return Text{path: path} }

// Read returns the value without a byte order mark and white space around it.
// White space and control characters inside are an error: the file holds
// something else, or more than one value. Errors do not hold the value.
func (t Text) Read() (string, error) {
	values, err := readTexts(t)
	if err != nil {
		return "", err
	}
	return values[0], nil
}

// failed says which text an error is about.
func (t Text) failed(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	}
	operation := cmp.Or(t.key, "value")
	if t.path != "" {
		operation = strings.TrimPrefix(t.key+": read "+t.path, ": ")
	}
	return &Error{Operation: operation, Cause: err.Error(), kind: broken}
}

// tidy removes what editors put around a value.
func tidy(value string) (string, error) {
	value = strings.TrimFunc(value, func(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' })
	switch {
	case value == "":
		return "", errors.New("it is empty")
	case strings.ContainsFunc(value, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return "", errors.New("there is white space or a control character inside the value")
	}
	return value, nil
}

// Keys are an access key, with or without a session token, whose parts may be
// in files. While a file cannot be read the last good keys stay in use.
type Keys struct {
	parts [3]Text // in the order of NewKeys

	mu   sync.Mutex
	last Credentials
}

// NewKeys returns keys of the given parts; the zero token means that there is
// none.
func NewKeys(accessKeyID, accessKeySecret, securityToken Text) *Keys {
	k := &Keys{parts: [3]Text{accessKeyID, accessKeySecret, securityToken}}
	for i, key := range []string{"access_key_id", "access_key_secret", "security_token"} {
		k.parts[i].key = key
	}
	return k
}

// Get returns the keys as the files have them now.
func (k *Keys) Get(context.Context) (Credentials, error) {
	cred, err := k.read()
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err == nil:
		k.last = cred
	case !k.last.usable():
		return Credentials{}, err
	}
	return k.last, nil
}

func (k *Keys) read() (Credentials, error) {
	values, err := readTexts(k.parts[:]...)
	if err != nil {
		return Credentials{}, err
	}
	for i, value := range values {
		if !hide(value).isKey() {
			return Credentials{}, k.parts[i].failed(errors.New(causeNoKeys))
		}
	}
	return New(values[0], values[1], values[2], time.Time{}), nil
}

// Reject reports whether the files hold other keys by now.
func (k *Keys) Reject(c Credentials) bool {
	now, err := k.read()
	return err == nil && now != c
}

// Usable returns true: nothing is fetched.
func (*Keys) Usable() bool { return true }

// ExpiresAt returns zero: given keys do not say when they end.
func (*Keys) ExpiresAt() time.Time { return time.Time{} }
