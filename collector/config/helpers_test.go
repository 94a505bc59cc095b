package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/dbsapi/credentials"
)

// issuer sends the requests for credentials of tests.
var issuer = credentials.NewClient("test", credentials.NewTransport(credentials.Options{}))

// Marks that must not appear in any output.
const (
	keyMark    = "LTAI-key-mark"
	secretMark = "Secret-mark"
	tokenMark  = "Token-mark"
)

// good is a valid configuration. Tests put one mistake into it.
const good = `poll_interval: 1m
targets:
  - region_id: cn-hangzhou
    credentials:
      type: access_key
      access_key_id: ` + keyMark + `
      access_key_secret: ` + secretMark + `
    plans:
      - id: dbsa
`

// Lines of good.
const (
	region  = "  - region_id: cn-hangzhou\n"
	typeKey = "      type: access_key\n"
	keyID   = "      access_key_id: " + keyMark + "\n"
	secret  = "      access_key_secret: " + secretMark + "\n"
	block   = typeKey + keyID + secret
	plan    = "      - id: dbsa\n"
)

// with returns good with a part of it replaced.
func with(t testing.TB, old, replacement string) string {
	t.Helper()
	if strings.Count(good, old) != 1 {
		t.Fatalf("good has %q %d times", old, strings.Count(good, old))
	}
	return strings.Replace(good, old, replacement, 1)
}

// after returns good with more lines after some of its own.
func after(t testing.TB, lines, more string) string {
	t.Helper()
	return with(t, lines, lines+more)
}

func parse(t testing.TB, text string) *config.Config {
	t.Helper()
	c, err := config.Parse([]byte(text), "test.yml")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// target returns the target of good with more keys.
func target(t testing.TB, keys string) *config.Target {
	t.Helper()
	return &parse(t, after(t, region, keys)).Targets[0]
}

func printed(t testing.TB, c *config.Config) string {
	t.Helper()
	text, err := yaml.Dump(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
