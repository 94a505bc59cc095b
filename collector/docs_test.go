package collector_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/collector"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// Marks around the part of docs/metrics.md that comes from the code; `make docs` writes it.
const (
	tablesBegin = "<!-- tables begin: written by `make docs` -->\n"
	tablesEnd   = "<!-- tables end -->\n"
)

// The tables in docs/metrics.md are those of the code.
func TestDocs(t *testing.T) {
	path := filepath.Join("..", "docs", "metrics.md")
	text := readFile(t, path)
	before, rest, found := strings.Cut(text, tablesBegin)
	_, after, closed := strings.Cut(rest, tablesEnd)
	if !found || !closed {
		t.Fatalf("%s has no room for the tables", path)
	}
	want := before + tablesBegin + metricTables() + tablesEnd + after
	if simtest.Updating() {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, text); diff != "" {
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

// The Chinese README has the same headings, commands, flags, names and links as the English one.
func TestChineseReadme(t *testing.T) {
	english, chinese := readmeFacts(t, filepath.Join("..", "README.md")), readmeFacts(t, filepath.Join("..", "docs", "README.zh-CN.md"))
	for kind := range english {
		if len(english[kind]) == 0 {
			t.Errorf("the README has no %s", kind)
		}
		if diff := cmp.Diff(english[kind], chinese[kind]); diff != "" {
			t.Errorf("%s differ: %s", kind, diff)
		}
	}
}

var readmePatterns = map[string]*regexp.Regexp{
	"headings": regexp.MustCompile(`(?m)^#+ `),
	"code":     regexp.MustCompile("`[^`\n]+`"),
	"commands": regexp.MustCompile(`(?m)^ {4,7}(?:go|make|\./)[^#\n]*`),
	"examples": regexp.MustCompile("(?s)```(?:yaml|json)\n.*?```"),
}

// comment is what follows a # in an example.
var comment = regexp.MustCompile(`(?m) *# .*$`)

// readmeFacts returns what a README says in every language alike. Words in code may stand in another order.
func readmeFacts(t *testing.T, path string) map[string][]string {
	t.Helper()
	text := readFile(t, path)
	facts := map[string][]string{"links": links(path, text)}
	for kind, pattern := range readmePatterns {
		for _, fact := range pattern.FindAllString(text, -1) {
			facts[kind] = append(facts[kind], strings.TrimSpace(comment.ReplaceAllString(fact, "")))
		}
	}
	slices.Sort(facts["code"])
	return facts
}

var linkPattern = regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)

// Every file that a page links to is there.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join("..", "docs", "*.md"))
	if err != nil || len(pages) < 5 {
		t.Fatalf("found %d pages, %v", len(pages), err)
	}
	tops, err := filepath.Glob(filepath.Join("..", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, tops...) {
		for _, file := range links(page, readFile(t, page)) {
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s links to %s, which is not there", page, file)
			}
		}
	}
}

// links returns the files of the project that a page links to, by their path from here. READMEs name each other.
func links(path, text string) (files []string) {
	for _, match := range linkPattern.FindAllStringSubmatch(text, -1) {
		if target := match[1]; !strings.Contains(target, "://") && !strings.Contains(target, "README") {
			files = append(files, filepath.Join(filepath.Dir(path), target))
		}
	}
	return files
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
