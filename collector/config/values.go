package config

import (
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/prometheus/common/model"
)

// Duration is a time.Duration that is written as 30s, 5m, 26h or 1d.
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := model.ParseDuration(string(text))
	if err != nil {
		return problem("must be a duration such as 30s, 5m or 1d")
	}
	*d = Duration(parsed)
	return nil
}

// MarshalText writes the duration as the file has it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d Duration) String() string { return model.Duration(d).String() }

// hidden is printed in place of a secret.
const hidden = "<secret>"

// Secret is text that is never printed. Convert it to a string to use it.
type Secret string

// Format hides the secret from all verbs of fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.shown()) }

// MarshalText hides the secret from JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.shown()), nil }

func (s Secret) shown() string {
	if s == "" {
		return ""
	}
	return hidden
}

// ProxyURL is the URL of a proxy. Only its scheme and host are printed, as its
// user name and password are secrets.
type ProxyURL string

// Format prints the URL without secrets, whatever the verb.
func (u ProxyURL) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, u.shown()) }

// MarshalText writes the URL without secrets to JSON and YAML.
func (u ProxyURL) MarshalText() ([]byte, error) { return []byte(u.shown()), nil }

// parse returns the URL, which must have a scheme and host that a proxy can
// have.
func (u ProxyURL) parse() (*url.URL, error) {
	parsed, err := url.Parse(string(u))
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Hostname() == "" {
		return nil, problem("must be a URL such as http://proxy.example:3128")
	}
	return parsed, nil
}

func (u ProxyURL) shown() string {
	if u == "" {
		return ""
	}
	parsed, err := u.parse()
	if err != nil {
		return hidden // not in a valid configuration
	}
	shown := url.URL{Scheme: parsed.Scheme, Host: parsed.Host}
	if parsed.User != nil {
		shown.User = url.User("xxxxx") // <secret> would be escaped
	}
	return shown.String()
}
