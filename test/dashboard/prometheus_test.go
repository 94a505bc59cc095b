//go:build suites

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	promkit "test/internal/prometheus"
)

// server is a running Prometheus.
type server struct{ *promkit.Server }

// startPrometheus starts a Prometheus that scrapes an exporter every five seconds, which is also how long a scrape may
// take on a busy machine. It does so under two names, as if there were a replica: no join may fail for that, and nothing
// count twice.
func startPrometheus(t *testing.T, exporters ...string) *server {
	t.Helper()
	dir := t.TempDir()
	var targets []string
	for _, one := range exporters {
		address := strings.TrimPrefix(one, "http://")
		targets = append(targets, fmt.Sprintf("{targets: [%q]}", address), fmt.Sprintf("{targets: [%q], labels: {instance: replica}}", address))
	}
	config := fmt.Sprintf("global: {scrape_interval: 5s, scrape_timeout: 5s, evaluation_interval: 1s}\nrule_files: [rules.yml]\n"+
		"scrape_configs: [{job_name: dbs, static_configs: [%s]}]\n", strings.Join(targets, ", "))
	// One rule is enough for an alert that fires: the demo has a plan whose polls fail.
	write(t, filepath.Join(dir, "rules.yml"), `groups: [{name: demo, rules: [{alert: AliyunDBSPollFailing, expr: "aliyun_dbs_poll_success == 0"}]}]`)
	write(t, filepath.Join(dir, "prometheus.yml"), config)

	return &server{promkit.Start(t, filepath.Join(dir, "prometheus.yml"))}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// inGrafana is a series as Grafana writes it for a variable that asks for the result of a query.
func inGrafana(s promkit.Series) string {
	labels := make([]string, 0, len(s.Metric))
	for name, value := range s.Metric {
		if name != "__name__" {
			labels = append(labels, fmt.Sprintf(`%s="%s"`, name, value)) //nolint:gocritic // Grafana does not escape
		}
	}
	slices.Sort(labels)
	return fmt.Sprintf("%s{%s} %v %v", s.Metric["__name__"], strings.Join(labels, ","), s.Value[1], s.Value[0])
}

var sortedStrings = cmp.Transformer("sorted", func(list []string) []string { return slices.Sorted(slices.Values(list)) })
