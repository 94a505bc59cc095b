// Package rules proves the alerts: by their own tests, by mutations that those tests must catch, and by comparing the
// names in rules and documents with those of the code.
package rules

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"test/internal/exporter"
	"test/internal/promql"
)

// rule is an alert of alerts.yml.
type rule struct {
	Alert       string
	Expr        string
	For         string
	Labels      map[string]string
	Annotations map[string]string
}

func path(t *testing.T, elements ...string) string {
	t.Helper()
	return filepath.Join(append([]string{exporter.Root(t)}, elements...)...)
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func loadRules(t *testing.T) (rules []rule) {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []rule }
	}
	if err := yaml.Unmarshal([]byte(readFile(t, path(t, "deploy/prometheus/alerts.yml"))), &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		rules = append(rules, g.Rules...)
	}
	return rules
}

// The alerts that operators rely on are there, and are as urgent as they were.
func TestAlerts(t *testing.T) {
	want := map[string]string{
		"DownloadTaskFailed": "warning", "DownloadPlanFailing": "1h critical", "DownloadPrecheckFailed": "15m warning",
		"DownloadPausedTooLong": "warning", "DownloadRunningTooLong": "warning", "DownloadQueuedTooLong": "warning",
		"DownloadCheckingTooLong": "warning", "DownloadOverdue": "1h critical", "DownloadAutoSilent": "1h warning",
		"GatewayOffline": "10m critical", "PlanExpiring": "1h warning", "ListFailing": "30m warning",
		"DownloadUnknownStatus": "10m info", "PlanEmpty": "1d info", "PollFailing": "15m warning", "ListingStale": "10m critical",
		"CredentialsRejected": "5m critical", "Throttled": "15m warning", "ListingIncomplete": "1h info", "ClockSkew": "15m warning",
		"PollsSkipped": "30m warning", "ConfigReloadFailed": "5m warning", "ExporterDown": "5m critical",
	}
	got := make(map[string]string)
	for _, r := range loadRules(t) {
		got[strings.TrimPrefix(r.Alert, "AliyunDBS")] = strings.TrimSpace(r.For + " " + r.Labels["severity"])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
}

// Every alert has the annotations and the runbook that an operator is promised, and every runbook its alert.
func TestRunbooks(t *testing.T) {
	sections := make(map[string]string)
	for _, section := range strings.Split(readFile(t, path(t, "docs/runbooks.md")), "\n## ")[1:] {
		title, text, _ := strings.Cut(section, "\n")
		sections[title] = text
	}
	steps := regexp.MustCompile(`(?m)^[123]\. `)
	for _, r := range loadRules(t) {
		text, ok := sections[r.Alert]
		if !ok {
			t.Errorf("docs/runbooks.md has no section %s", r.Alert)
		}
		for _, part := range []string{"**Meaning.** ", "**Impact.** ", "**First steps.**", "**Silence.** "} {
			if strings.Count(text, part) != 1 {
				t.Errorf("the section %s does not have %q once", r.Alert, part)
			}
		}
		if n := len(steps.FindAllString(text, -1)); n != 3 {
			t.Errorf("the section %s has %d steps", r.Alert, n)
		}
		if want := "/docs/runbooks.md#" + strings.ToLower(r.Alert); !strings.HasSuffix(r.Annotations["runbook_url"], want) {
			t.Errorf("the runbook of %s is %s, want …%s", r.Alert, r.Annotations["runbook_url"], want)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s has no words", r.Alert)
		}
		delete(sections, r.Alert)
	}
	for title := range sections {
		t.Errorf("docs/runbooks.md has a section %s, which is no alert", title)
	}
}

// Rules ask for metrics and labels that the exporter has.
func TestRulesAskForWhatThereIs(t *testing.T) {
	for _, r := range loadRules(t) {
		for _, problem := range promql.Check(r.Expr) {
			t.Errorf("%s: %s", r.Alert, problem)
		}
	}
}
