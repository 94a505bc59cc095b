package rules

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"test/internal/exporter"
	"test/internal/promql"
)

// named finds names of metrics in prose, with what stands in braces behind them.
var named = regexp.MustCompile(`\baliyun_dbs_[a-z0-9_]+(\{[^}\n]*\})?`)

// program is what the binary, its unit and its user are called.
const program = "aliyun_dbs_exporter"

// Every metric, label and value that a document speaks of exists.
func TestDocumentsNameWhatThereIs(t *testing.T) {
	metrics := promql.Metrics()
	for _, document := range documents(t) {
		for _, text := range named.FindAllString(readFile(t, document), -1) {
			name, _, selected := strings.Cut(text, "{")
			switch {
			case name == program:
			case strings.HasSuffix(name, "_"): // aliyun_dbs_download_task_…
				if !anyHasPrefix(metrics, name) {
					t.Errorf("%s: no metric begins with %s", document, name)
				}
			case metrics[name] == nil:
				t.Errorf("%s: there is no metric %s", document, name)
			case selected && strings.Contains(text, "="):
				for _, problem := range promql.Check(text) {
					t.Errorf("%s: %s: %s", document, text, problem)
				}
			}
		}
	}
}

// documents are those that people read.
func documents(t *testing.T) (paths []string) {
	t.Helper()
	root := exporter.Root(t)
	paths = []string{filepath.Join(root, "README.md"), filepath.Join(root, "CHANGELOG.md"), filepath.Join(root, "config.example.yml")}
	for _, dir := range []string{"docs", "deploy"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
			if strings.HasSuffix(path, ".md") && !entry.IsDir() {
				paths = append(paths, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return paths
}

func anyHasPrefix(metrics map[string][]string, prefix string) bool {
	for name := range metrics {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// Every metric on a real page is documented.
func TestPageIsDocumented(t *testing.T) {
	documented := readFile(t, path(t, "docs/metrics.md"))
	result := exporter.Run(t, exporter.Options{Args: []string{"--demo", "--once"}})
	if result.Code != 0 && !strings.Contains(result.Stdout, "# TYPE") {
		t.Fatalf("--demo --once ends with %d: %s", result.Code, result.Stderr)
	}
	found := 0
	for line := range strings.Lines(result.Stdout) {
		if rest, ok := strings.CutPrefix(line, "# TYPE aliyun_dbs_"); ok {
			name, _, _ := strings.Cut("aliyun_dbs_"+rest, " ")
			found++
			if !strings.Contains(documented, "`"+name+"`") {
				t.Errorf("docs/metrics.md does not have %s", name)
			}
		}
	}
	if found < 35 {
		t.Errorf("the page has %d metrics only:\n%s", found, result.Stdout)
	}
}
