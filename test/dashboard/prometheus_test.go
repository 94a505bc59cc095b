package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	kit "test/internal/exporter"
)

// server is a running Prometheus.
type server struct {
	t   *testing.T
	url string
}

// startPrometheus starts a Prometheus that scrapes an exporter each second. It does so under two names, as if there
// were a replica: no join may fail for that, and nothing count twice.
func startPrometheus(t *testing.T, exporters ...string) *server {
	t.Helper()
	dir := t.TempDir()
	var targets []string
	for _, one := range exporters {
		address := strings.TrimPrefix(one, "http://")
		targets = append(targets, fmt.Sprintf("{targets: [%q]}", address), fmt.Sprintf("{targets: [%q], labels: {instance: replica}}", address))
	}
	config := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [rules.yml]\n"+
		"scrape_configs: [{job_name: dbs, static_configs: [%s]}]\n", strings.Join(targets, ", "))
	// One rule is enough for an alert that fires: the demo has a plan whose polls fail.
	write(t, filepath.Join(dir, "rules.yml"), `groups: [{name: demo, rules: [{alert: AliyunDBSPollFailing, expr: "aliyun_dbs_poll_success == 0"}]}]`)
	write(t, filepath.Join(dir, "prometheus.yml"), config)

	var log kit.Output
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), kit.Tool(t, "prometheus"),
		"--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address=127.0.0.1:0", "--log.format=json")
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it was told to end
	})
	s := &server{t: t}
	kit.Eventually(t, func() error {
		for line := range strings.Lines(log.String()) {
			var entry struct{ Msg, Address string }
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "Listening on" {
				s.url = "http://" + entry.Address
				return s.get("/-/ready", nil, nil)
			}
		}
		return fmt.Errorf("it does not listen:\n%s", log.String())
	})
	return s
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// get asks the HTTP API and decodes the data of its answer.
func (s *server) get(path string, form url.Values, data any) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	if form == nil {
		req.Method = http.MethodGet
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %d: %s", path, resp.StatusCode, body)
	}
	if data == nil {
		return nil
	}
	return json.Unmarshal(body, &struct{ Data any }{data})
}

// series is one series of a result: a sample of an instant query, or those of a range. A sample is a time and a text.
type series struct {
	Metric map[string]string
	Value  [2]any
	Values [][2]any
}

// number tells whether there is a sample that can be drawn.
func (s series) number() bool {
	return slices.ContainsFunc(append(s.Values, s.Value), func(sample [2]any) bool {
		text, _ := sample[1].(string)
		value, err := strconv.ParseFloat(text, 64)
		return err == nil && !math.IsNaN(value) && !math.IsInf(value, 0)
	})
}

// query evaluates an expression now, or over the last minutes in steps of a second.
func (s *server) query(expr string, now bool) ([]series, error) {
	form := url.Values{"query": {expr}}
	path := "/api/v1/query"
	if !now {
		path += "_range"
		form.Set("start", fmt.Sprint(time.Now().Add(-5*time.Minute).Unix()))
		form.Set("end", fmt.Sprint(time.Now().Unix()))
		form.Set("step", "1")
	}
	var data struct{ Result []series }
	err := s.get(path, form, &data)
	return data.Result, err
}

// inGrafana is a series as Grafana writes it for a variable that asks for the result of a query.
func inGrafana(s series) string {
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
