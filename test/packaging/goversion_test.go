package packaging

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"test/internal/exporter"
)

// Every module builds with the same version of Go, the one that the documents name. It is the first of its series, and
// no module asks for a toolchain, so that a machine that may not download another Go needs any release of the series.
func TestGoVersion(t *testing.T) {
	module := regexp.MustCompile(`(?m)^(?:go|toolchain) (.*)$`)
	document := regexp.MustCompile(`(?:Go |golang:)(1\.[0-9.]*[0-9])`)
	for _, file := range []struct {
		name    string
		pattern *regexp.Regexp
		want    string
	}{
		{"go.mod", module, "1.26.0"},
		{"test/go.mod", module, "1.26.0"},
		{"test/tools/go.mod", module, "1.26.0"},
		{"README.md", document, "1.26"},
		{"docs/README.zh-CN.md", document, "1.26"},
		{"Dockerfile", document, "1.26"},
	} {
		text, err := os.ReadFile(filepath.Join(exporter.Root(t), filepath.FromSlash(file.name)))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, match := range file.pattern.FindAllStringSubmatch(string(text), -1) {
			got = append(got, match[1])
		}
		if got = slices.Compact(got); !slices.Equal(got, []string{file.want}) {
			t.Errorf("%s: the version of Go is %q, want %s", file.name, got, file.want)
		}
	}
}
