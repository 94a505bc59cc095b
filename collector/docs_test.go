package collector_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/collector"
)

// Marks around the part of docs/metrics.md that comes from the code; `make docs` writes it.
const (
	tablesBegin = "<!-- tables begin: written by `make docs` -->\n"
	tablesEnd   = "<!-- tables end -->\n"
)

// The tables in docs/metrics.md are those of the code.
func TestDocs(t *testing.T) {
	path := filepath.Join("..", "docs", "metrics.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), tablesBegin)
	_, after, closed := strings.Cut(rest, tablesEnd)
	if !found || !closed {
		t.Fatalf("%s has no room for the tables", path)
	}
	want := before + tablesBegin + metricTables() + tablesEnd + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("%s is not what `make docs` writes: %s", path, diff)
	}
}

// metricTables renders a table for every section.
func metricTables() string {
	var b strings.Builder
	section := ""
	for _, f := range collector.Families() {
		if f.Section != section {
			section = f.Section
			fmt.Fprintf(&b, "\n### %s\n\n| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n", section)
		}
		labels := "–"
		if len(f.Labels) > 0 {
			labels = "`" + strings.Join(f.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, f.Type, labels, f.Help)
	}
	b.WriteString("\n")
	return b.String()
}
