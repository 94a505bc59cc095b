package e2e

import (
	"fmt"
	"maps"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"aliyun_dbs_exporter/dbsapi/dbssim"

	"test/internal/exporter"
)

// checkMetrics fails for everything that `promtool check metrics` would say about a page.
func checkMetrics(t *testing.T, page string) {
	t.Helper()
	problems, err := promlint.New(strings.NewReader(page)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promtool check metrics: %v: %v", problems, err)
	}
}

// The demo shows everything within a minute, without an account.
func TestDemo(t *testing.T) {
	t.Parallel()
	p := exporter.Start(t, exporter.Options{Args: []string{"--demo"}})
	var first exporter.Page
	exporter.Eventually(t, func() error {
		first = p.Metrics()
		return first.Is(`aliyun_dbs_poll_success{account="demo",plan_id="dbsdemobilling1",region_id="cn-shanghai"}`, 1)
	})
	p.Ready()
	page := p.Metrics()
	statuses := 0
	for _, status := range []string{"checking", "init", "check_pass", "schedule", "running", "pause", "stop", "finish"} {
		if page.Sum("aliyun_dbs_download_tasks", `status="`+status+`"`) > 0 {
			statuses++
		}
	}
	if statuses < 6 {
		t.Errorf("%d statuses have tasks", statuses)
	}
	for _, metric := range []string{
		"aliyun_dbs_download_task_duration_seconds", "aliyun_dbs_download_task_data_bytes", "aliyun_dbs_download_data_bytes",
		"aliyun_dbs_discovered_plans", "aliyun_dbs_plan_auto_download_enabled",
	} {
		if page.Sum(metric) == 0 {
			t.Errorf("%s is not there", metric)
		}
	}
	checkMetrics(t, p.Get("/metrics"))
	exporter.Eventually(t, func() error {
		if now := p.Metrics(); maps.Equal(listed(first), listed(now)) {
			return errNothingChanges
		}
		return nil
	})
}

// listed are the counts of listed tasks on a page.
func listed(page exporter.Page) map[string]float64 {
	counts := make(map[string]float64)
	for series, v := range page {
		if strings.HasPrefix(series, "aliyun_dbs_download_tasks{") {
			counts[series] = v
		}
	}
	return counts
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, dbssim.Plan{ID: "dbsgood", Tasks: dbssim.Fixed(finished(3)...)})
	tests := []struct {
		name           string
		options        exporter.Options
		code           int
		stdout, stderr []string
	}{
		{"unknown flag", exporter.Options{Args: []string{"--frobnicate"}}, 2, nil, []string{"unknown long flag '--frobnicate', try --help"}},
		{"bad value", exporter.Options{Args: []string{"--log.level=loud"}}, 2, nil, []string{"enum value must be one of debug,info,warn,error"}},
		{"bad shard", exporter.Options{Args: []string{"--shard.count=3", "--shard.index=3"}}, 2, nil, []string{"shard.index 3 is not from 0 to below shard.count 3"}},
		{"bad flag from the environment", exporter.Options{Env: []string{"ALIYUN_DBS_EXPORTER_SHARD_COUNT=many"}}, 2, nil, []string{"try --help"}},
		{"version", exporter.Options{Args: []string{"--version"}}, 0, []string{"aliyun_dbs_exporter, version "}, nil},
		{"help", exporter.Options{Args: []string{"--help"}}, 0, []string{"--config.file", "$ALIYUN_DBS_EXPORTER_CONFIG_FILE", "--shard.index", "--web.config.file"}, nil},
		{"no file", exporter.Options{Args: []string{"--config.file=nowhere.yml"}}, 1, nil, []string{"read configuration nowhere.yml: no such file or directory; name another file with --config.file"}},
		{
			"bad file",
			exporter.Options{Config: strings.Replace(e.config("", "dbsgood"), "poll_interval", "pol_interval", 1)},
			1, nil,
			[]string{"config.yml:1: pol_interval: unknown key; the keys here are poll_interval, "},
		},
		{
			"bad secret",
			exporter.Options{Config: strings.Replace(e.config("", "dbsgood"), "region_id:", "access_key_secret: "+secretMark+"\n    region_id:", 1)},
			1, nil,
			[]string{"config.yml:5: targets[0].access_key_secret: unknown key"},
		},
		{
			"telemetry path that leaves the root",
			exporter.Options{Config: e.config("", "dbsgood"), Args: []string{"--web.listen-address=127.0.0.1:0", "--web.telemetry-path=/.."}},
			1, nil,
			[]string{`telemetry path`, `must be a path such as /metrics`},
		},
		{"bad web file", exporter.Options{Config: e.config("", "dbsgood"), Args: []string{"--config.check", "--web.config.file=nowhere.yml"}}, 1, nil, []string{"nowhere.yml"}},
		{
			"check",
			exporter.Options{Config: e.config("", "dbsgood, name: orders"), Args: []string{"--config.check"}},
			0,
			[]string{"poll_timeout: 1s", "access_key_secret: <secret>", "name: orders", "include: .*"},
			nil,
		},
		{
			"once",
			exporter.Options{Config: e.config("", "dbsgood"), Args: []string{"--once"}},
			0,
			[]string{`aliyun_dbs_download_tasks{account="acme",plan_id="dbsgood",region_id="cn-hangzhou",status="finish"} 3`},
			[]string{"[1/1] account acme, region cn-hangzhou, plan dbsgood: 3 tasks\n"},
		},
		{
			"once, with a plan that fails",
			exporter.Options{Config: e.config("", "dbsgood", "dbsbad"), Args: []string{"--once"}},
			1,
			[]string{`aliyun_dbs_download_tasks{account="acme",plan_id="dbsgood",region_id="cn-hangzhou",status="finish"} 3`, `poll_success{account="acme",plan_id="dbsbad",region_id="cn-hangzhou"} 0`},
			[]string{"/2] account acme, region cn-hangzhou, plan dbsbad: failed: ", "not_found", "Check that the backup plan still exists", "poll once: 1 of 2 plans failed"},
		},
		{"flag from the environment", exporter.Options{Args: []string{"--once"}, Env: []string{"ALIYUN_DBS_EXPORTER_DEMO=true"}}, 1, []string{"dbsdemoorders01"}, []string{"dbsdemodeleted1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := exporter.Run(t, tt.options)
			if r.Code != tt.code {
				t.Errorf("exit code is %d, want %d", r.Code, tt.code)
			}
			for _, want := range tt.stdout {
				if !strings.Contains(r.Stdout, want) {
					t.Errorf("standard output lacks %q:\n%s", want, r.Stdout)
				}
			}
			for _, want := range tt.stderr {
				if !strings.Contains(r.Stderr, want) {
					t.Errorf("standard error lacks %q:\n%s", want, r.Stderr)
				}
			}
			if strings.Contains(r.Stderr, "goroutine ") {
				t.Errorf("stack trace:\n%s", r.Stderr)
			}
			if len(tt.stdout) == 0 && r.Stdout != "" || len(tt.stderr) == 0 && r.Stderr != "" {
				t.Errorf("words that nobody asked for:\n%s%s", r.Stdout, r.Stderr)
			}
			if strings.Contains(tt.name, "once") {
				checkMetrics(t, r.Stdout)
			}
			searchFor(t, "output", r.Stdout+r.Stderr)
		})
	}
}

// The exporter stops within 5 s and exits with 0, also in the middle of a poll.
func TestStops(t *testing.T) {
	for name, signal := range stopSignals {
		t.Run(name, func(t *testing.T) {
			e := newEndpoint(t, dbssim.Plan{ID: "dbsslow"})
			e.SetFault("dbsslow", dbssim.Fault{Delay: time.Minute})
			p := exporter.Start(t, exporter.Options{Config: strings.Replace(e.config("poll_timeout: 50s", "dbsslow"), "poll_interval: 1s", "poll_interval: 1m", 1)})
			exporter.Eventually(t, func() error {
				if len(e.Requests()) == 0 {
					return errNothingChanges
				}
				return nil
			})
			begin := time.Now()
			p.Signal(signal)
			if code := p.Wait(exporter.StopTime); code != 0 {
				t.Errorf("exit code is %d:\n%s", code, p.Stderr)
			}
			t.Logf("stopped after %v", time.Since(begin))
			if !strings.Contains(p.Stderr.String(), "msg=Stopped") {
				t.Errorf("the log does not say so:\n%s", p.Stderr)
			}
		})
	}
}

// A port that is taken ends the process before it has called the API.
func TestPortIsTaken(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, dbssim.Plan{ID: "dbsa"})
	r := exporter.Run(t, exporter.Options{Config: e.config("", "dbsa"), Args: []string{"--web.listen-address=" + e.address}})
	if r.Code != 1 || !strings.Contains(r.Stderr, "address already in use") {
		t.Errorf("exit code is %d:\n%s", r.Code, r.Stderr)
	}
	if n := len(e.Requests()); n != 0 {
		t.Errorf("the API was called %d times", n)
	}
}

// SIGHUP during the start neither ends the process nor is lost.
func TestHangupDuringStart(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, dbssim.Plan{ID: "dbsa"})
	p := exporter.Start(t, exporter.Options{Config: e.config("", "dbsa"), Signal: syscall.SIGHUP})
	p.Ready()
	exporter.Eventually(t, func() error {
		if n := strings.Count(p.Stderr.String(), "Configuration loaded"); n < 2 {
			return fmt.Errorf("the configuration was loaded %d times", n)
		}
		return nil
	})
}
