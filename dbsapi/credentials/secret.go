package credentials

import (
	"fmt"
	"io"
	"strings"
	"unique"
)

// secret is a text that cannot be printed: fmt reads the unexported fields of
// the structs around it by reflection, and finds a pointer. Secrets with the
// same text are ==.
type secret struct{ text unique.Handle[string] }

// hide returns the secret of a text. An empty text is the zero secret.
func hide(text string) secret {
	if text == "" {
		return secret{}
	}
	return secret{unique.Make(text)}
}

func (s secret) reveal() string {
	if s == (secret{}) {
		return ""
	}
	return s.text.Value()
}

// isKey reports whether a secret has only the characters of keys and tokens:
// visible ASCII. Others could end a header.
func (s secret) isKey() bool {
	return !strings.ContainsFunc(s.reveal(), func(r rune) bool { return r <= ' ' || r > '~' })
}

// UnmarshalText lets answers and profiles be decoded without leaving their
// secrets in a string.
func (s *secret) UnmarshalText(text []byte) error {
	*s = hide(string(text))
	return nil
}

// hidden is what is printed instead of a value that holds secrets.
const hidden = "<credentials>"

// Format prints no secret, whatever the verb.
func (Credentials) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalText encodes no secret, in JSON and YAML too.
func (Credentials) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Format prints no secret, whatever the verb.
func (Static) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalText encodes no secret, in JSON and YAML too.
func (Static) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Format prints no secret, whatever the verb.
func (Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalText encodes no secret, in JSON and YAML too.
func (Text) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Format prints no secret, whatever the verb, and does not look at what a
// renewal changes.
func (*Session) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "<session>") }

// Format prints no secret, whatever the verb.
func (*Keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }
