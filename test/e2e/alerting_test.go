//go:build suites

package e2e

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"aliyun_dbs_exporter/dbsapi/dbssim"

	"test/internal/exporter"
	"test/internal/prometheus"
)

// alerting is the whole chain: simulated API, exporter, Prometheus with the project's rules, Alertmanager.
type alerting struct {
	t            *testing.T
	api          *dbssim.Simulator
	skew         atomic.Int64 // of the API's clock, in seconds
	server       *httptest.Server
	config, file string
	exporter     *exporter.Process
	prometheus   *prometheus.Server
	alertmanager *prometheus.Server
}

// Two accounts: what is done to the API of one must not touch the other.
const alertingConfig = `poll_interval: 1s
stale_after: 10m
targets:
  - account: acme
    region_id: cn-hangzhou
    endpoint: ENDPOINT
    requests_per_second: 100
    credentials: {type: access_key, access_key_id: LTAI-key-mark, access_key_secret: access-key-secret-mark}
    discovery: {enabled: true, interval: 10s}
    gateways: {enabled: true, interval: 10s}
    plans:
      - {id: dbsorders, name: orders}
      - {id: dbslate, max_success_age: 26h}
  - account: slow
    region_id: cn-shanghai
    endpoint: ENDPOINT
    requests_per_second: 100
    max_concurrent_requests: 1
    credentials: {type: access_key, access_key_id: LTAI-slow, access_key_secret: access-key-secret-mark}
    plans: [{id: dbsslow1, name: slow1}, {id: dbsslow2, name: slow2}, {id: dbsslow3, name: slow3}]
`

// The plans of the two accounts.
var (
	hangzhouPlans = []string{"dbsorders", "dbslate", "dbsprecheck", "dbsstuck", "dbsodd", "dbsempty", "dbscut", "dbsdown", "dbssilent", "dbsblocked", "dbsexpiring"}
	slowPlans     = []string{"dbsslow1", "dbsslow2", "dbsslow3"}
)

func newAlerting(t *testing.T) *alerting {
	t.Helper()
	slow := dbssim.Account{AccessKeyID: "LTAI-slow", AccessKeySecret: secretMark}
	for _, id := range slowPlans {
		slow.Plans = append(slow.Plans, dbssim.Plan{ID: id, Tasks: dbssim.Fixed(good()...)})
	}
	a := &alerting{t: t, api: dbssim.New(nil, dbssim.Account{AccessKeyID: keyMark, AccessKeySecret: secretMark}, slow)}
	for _, id := range hangzhouPlans {
		a.plan(id, good()...)
	}
	a.gateway("ONLINE")
	a.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(time.Duration(a.skew.Load())*time.Second).UTC().Format(http.TimeFormat))
		a.api.ServeHTTP(w, r)
	}))
	t.Cleanup(a.server.Close)
	a.config = strings.ReplaceAll(alertingConfig, "ENDPOINT", a.server.URL)
	a.file = exporter.WriteFile(t, "config.yml", a.config)
	a.start()

	dir := filepath.Join(exporter.Root(t), "deploy", "prometheus")
	a.alertmanager = prometheus.StartAlertmanager(t, filepath.Join(dir, "alertmanager.yml"))
	// The project's own files, with time sped up and the names of this place.
	copied := t.TempDir()
	write(t, filepath.Join(copied, "alerts.yml"), fast(readFile(t, filepath.Join(dir, "alerts.yml"))))
	config := readFile(t, filepath.Join(dir, "prometheus.yml"))
	for old, here := range map[string]string{
		"interval: 30s": "interval: 1s", "alertmanager:9093": strings.TrimPrefix(a.alertmanager.URL, "http://"), "exporter:9977": strings.TrimPrefix(a.exporter.URL, "http://"),
	} {
		if !strings.Contains(config, old) {
			t.Fatalf("prometheus.yml has no %q", old)
		}
		config = strings.ReplaceAll(config, old, here)
	}
	write(t, filepath.Join(copied, "prometheus.yml"), config)
	a.prometheus = prometheus.Start(t, filepath.Join(copied, "prometheus.yml"))
	exporter.Eventually(t, a.connected)
	return a
}

// connected reports whether Prometheus scrapes the exporter and knows its Alertmanager, which takes seconds after a start.
func (a *alerting) connected() error {
	var known struct{ ActiveAlertmanagers []any }
	if err := a.prometheus.Get("/api/v1/alertmanagers", nil, &known); err != nil || len(known.ActiveAlertmanagers) == 0 {
		return fmt.Errorf("Prometheus knows no Alertmanager: %w", err)
	}
	result, err := a.prometheus.Query("aliyun_dbs_poll_success == 1 and on (job, instance) up == 1", true)
	if err == nil && len(result) == 0 {
		err = errors.New("Prometheus has no samples")
	}
	return err
}

// start starts the exporter, again where it was.
func (a *alerting) start() {
	a.t.Helper()
	o := exporter.Options{Args: []string{"--config.file=" + a.file}}
	if a.exporter != nil {
		o.Address = strings.TrimPrefix(a.exporter.URL, "http://")
	}
	a.exporter = exporter.Start(a.t, o)
	a.exporter.Ready()
}

// fast makes rules look at four seconds, and wait for longer than that where they waited for longer than they looked.
// Ages of tasks stay what they are: tasks can be made old.
func fast(rules string) string {
	rules = regexp.MustCompile(`\[\d+[mh]\]`).ReplaceAllString(rules, "[4s]")
	rules = regexp.MustCompile(`(?m)for: 5m$`).ReplaceAllString(rules, "for: 2s")
	return regexp.MustCompile(`(?m)for: \d+[mhd]$`).ReplaceAllString(rules, "for: 5s")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// plan sets the download tasks of a plan of the first account.
func (a *alerting) plan(id string, tasks ...dbssim.Task) {
	a.setPlan(dbssim.Plan{ID: id, Tasks: dbssim.Fixed(tasks...)})
}

// setPlan sets a plan of the first account. It is a running one with automatic download.
func (a *alerting) setPlan(p dbssim.Plan) {
	p.Name, p.Region, p.Status, p.AutoDownload = strings.TrimPrefix(p.ID, "dbs"), "cn-hangzhou", "running", true
	a.api.SetPlan(p)
}

// gateway sets the status of the first account's backup gateway.
func (a *alerting) gateway(status string) {
	a.api.SetGateway(dbssim.Gateway{ID: 160813, Name: "idc", Region: "cn-hangzhou", Status: status})
}

// aged is a task that was created some time ago and, in a final status, took an hour.
func aged(id, status string, age time.Duration) dbssim.Task {
	task := dbssim.Task{ID: id, Status: status, Way: "auto", JobType: "cbs_backup_sub_full", Bytes: 1 << 30, Created: time.Now().Add(-age)}
	if status == "finish" || status == "stop" {
		task.Finished = task.Created.Add(time.Hour)
	}
	return task
}

// good is what a plan lists whose downloads succeed.
func good() []dbssim.Task { return []dbssim.Task{aged("good", "finish", 3*time.Hour)} }

// firing returns the alerts that Alertmanager has, each as its name and what it is about, with its state.
func (a *alerting) firing() map[string]string {
	a.t.Helper()
	alerts, err := a.alertmanager.Alerts()
	if err != nil {
		a.t.Fatal(err)
	}
	firing := make(map[string]string)
	for _, alert := range alerts {
		key := strings.TrimPrefix(alert.Labels["alertname"], "AliyunDBS")
		for _, label := range []string{"plan_id", "task_id", "reason"} {
			if value := alert.Labels[label]; value != "" {
				key += " " + value
			}
		}
		firing[key] = alert.Status.State
		for name, text := range alert.Annotations {
			if strings.Contains(text, "no value") || strings.Contains(text, "error") || strings.Contains(text, "{{") {
				a.t.Errorf("%s: %s: %s", key, name, text)
			}
		}
		if id := alert.Labels["plan_id"]; id != "" && alert.Labels["plan_name"] != strings.TrimPrefix(id, "dbs") {
			a.t.Errorf("%s: the labels are %v", key, alert.Labels)
		}
	}
	return firing
}

// expect waits until exactly these alerts fire, those with "suppressed" behind them inhibited.
func (a *alerting) expect(what string, want ...string) {
	a.t.Helper()
	begin := time.Now()
	expected := make(map[string]string)
	for _, alert := range want {
		key, inhibited := strings.CutSuffix(alert, ", suppressed")
		expected[key] = map[bool]string{false: "active", true: "suppressed"}[inhibited]
	}
	exporter.Eventually(a.t, func() error {
		if got := a.firing(); !maps.Equal(got, expected) {
			return fmt.Errorf("%s: %v fire, want %v", what, slices.Sorted(maps.Keys(got)), want)
		}
		return nil
	})
	a.t.Logf("%s: after %v", what, time.Since(begin).Round(100*time.Millisecond))
}

// rules returns the expressions of the alerts, in the sped-up form.
func (a *alerting) rules() map[string]string {
	var file struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	text := fast(readFile(a.t, filepath.Join(exporter.Root(a.t), "deploy/prometheus/alerts.yml")))
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		a.t.Fatal(err)
	}
	rules := make(map[string]string)
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			rules[strings.TrimPrefix(rule.Alert, "AliyunDBS")] = rule.Expr
		}
	}
	return rules
}
