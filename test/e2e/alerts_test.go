//go:build suites

package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"aliyun_dbs_exporter/dbsapi/dbssim"

	"test/internal/exporter"
	"test/internal/prometheus"
)

// fault is something that goes wrong, and the alerts that tell of it.
type fault struct {
	name       string
	begin, end func(a *alerting)
	want       []string
}

var faults = []fault{
	{
		name:  "downloads that fail, wait, or do not come",
		begin: badDownloads,
		end: func(a *alerting) {
			for _, id := range []string{"dbslate", "dbsprecheck", "dbsstuck", "dbsodd", "dbsempty", "dbssilent"} {
				a.plan(id, good()...)
			}
			a.api.ClearFault("dbscut")
		},
		want: []string{
			"DownloadPrecheckFailed dbsprecheck", "DownloadPausedTooLong dbsstuck", "DownloadRunningTooLong dbsstuck", "DownloadQueuedTooLong dbsstuck",
			"DownloadCheckingTooLong dbsstuck", "DownloadUnknownStatus dbsodd", "PlanEmpty dbsempty", "DownloadOverdue dbslate",
			"DownloadAutoSilent dbssilent", "ListingIncomplete dbscut",
		},
	},
	{
		name: "a plan that failed cannot be polled any more",
		begin: func(a *alerting) {
			a.plan("dbsdown", append([]dbssim.Task{aged("lost", "stop", 2*time.Hour)}, good()...)...)
			a.expect("a failure", "DownloadTaskFailed dbsdown lost", "DownloadPlanFailing dbsdown")
			a.api.SetFault("dbsdown", dbssim.Failing(http.StatusInternalServerError, "InternalError"))
		},
		end: func(a *alerting) {
			a.api.ClearFault("dbsdown")
			a.plan("dbsdown", good()...)
		},
		want: []string{
			"ListingStale dbsdown", "PollFailing dbsdown, suppressed",
			"DownloadTaskFailed dbsdown lost, suppressed", "DownloadPlanFailing dbsdown, suppressed",
		},
	},
	{
		name: "a gateway that is offline",
		begin: func(a *alerting) {
			a.setPlan(dbssim.Plan{ID: "dbsblocked", DownloadGatewayID: 160813, Tasks: dbssim.Fixed(append(good(),
				aged("checking", "checking", time.Hour), aged("queued", "schedule", 3*time.Hour))...)})
			a.gateway("OFFLINE")
		},
		end: func(a *alerting) {
			a.gateway("ONLINE")
			a.plan("dbsblocked", good()...)
		},
		want: []string{
			"GatewayOffline dbsblocked", "DownloadQueuedTooLong dbsblocked, suppressed", "DownloadCheckingTooLong dbsblocked, suppressed",
		},
	},
	{
		name: "a plan that expires, and gateways that cannot be listed",
		begin: func(a *alerting) {
			a.setPlan(dbssim.Plan{ID: "dbsexpiring", Expires: time.Now().Add(3 * 24 * time.Hour), Tasks: dbssim.Fixed(good()...)})
			a.api.SetFault("DescribeBackupGatewayList", dbssim.Failing(http.StatusForbidden, "Forbidden.RAM"))
		},
		end: func(a *alerting) {
			a.api.ClearFault("DescribeBackupGatewayList")
			a.plan("dbsexpiring", good()...)
		},
		want: []string{"PlanExpiring dbsexpiring", "ListFailing"},
	},
	{
		name: "a slow API, a wrong clock and a bad configuration",
		begin: func(a *alerting) {
			for _, id := range slowPlans {
				a.api.SetFault(id, dbssim.Fault{Delay: 700 * time.Millisecond})
			}
			a.skew.Store(120)
			a.reload("poll_interval: never\n")
		},
		end: func(a *alerting) {
			for _, id := range slowPlans {
				a.api.ClearFault(id)
			}
			a.skew.Store(0)
			a.reload(a.config)
		},
		want: []string{"PollsSkipped", "ClockSkew", "ConfigReloadFailed"},
	},
	{
		name: "rejected credentials",
		begin: func(a *alerting) {
			a.api.SetFault(dbssim.Everything, dbssim.Failing(http.StatusNotFound, "InvalidAccessKeyId.NotFound"))
		},
		end: func(a *alerting) { a.api.ClearFault(dbssim.Everything) },
		// One alert for an account, and none that is heard for each of its plans.
		want: append(ofPlans(slices.Concat(hangzhouPlans, slowPlans), "PollFailing %s, suppressed", "ListingStale %s, suppressed"), "CredentialsRejected auth", "ListFailing, suppressed"),
	},
	{
		// Each throttled answer pauses all plans of the account, so a few plans take
		// as long to fail as others take to be old.
		name: "a quota that is used up",
		begin: func(a *alerting) {
			for _, id := range slowPlans {
				a.api.SetFault(id, dbssim.Throttled(100*time.Millisecond))
			}
		},
		end: func(a *alerting) {
			for _, id := range slowPlans {
				a.api.ClearFault(id)
			}
		},
		want: append(ofPlans(slowPlans, "PollFailing %s, suppressed", "ListingStale %s"), "Throttled", "PollsSkipped, suppressed"),
	},
	{
		name:  "an exporter that is gone",
		begin: func(a *alerting) { a.exporter.Signal(syscall.SIGKILL) },
		end:   func(a *alerting) { a.start() },
		want:  []string{"ExporterDown"},
	},
}

// ofPlans writes alerts for each of the plans.
func ofPlans(ids []string, formats ...string) (alerts []string) {
	for _, id := range ids {
		for _, format := range formats {
			alerts = append(alerts, fmt.Sprintf(format, id))
		}
	}
	return alerts
}

// badDownloads makes tasks that are too old for what they do.
func badDownloads(a *alerting) {
	a.plan("dbslate", aged("old", "finish", 48*time.Hour))
	a.plan("dbsprecheck", append([]dbssim.Task{aged("unchecked", "init", time.Hour)}, good()...)...)
	a.plan("dbsstuck",
		aged("checking", "checking", time.Hour), aged("passed", "check_pass", time.Hour), aged("queued", "schedule", 3*time.Hour),
		aged("paused", "pause", 5*time.Hour), aged("running", "running", 13*time.Hour), aged("good", "finish", 14*time.Hour))
	a.plan("dbsodd", append([]dbssim.Task{aged("odd", "thawing", time.Hour)}, good()...)...)
	a.plan("dbsempty")
	a.plan("dbssilent", aged("old", "finish", 4*24*time.Hour))
	a.api.SetFault("dbscut", dbssim.WrongTotals(1, 99))
}

// Each fault makes its alerts fire and no other, and they clear when it is over. No rule has anything to say about what
// is well, and none is left out.
func TestAlerts(t *testing.T) {
	t.Parallel()
	a := newAlerting(t)
	rules := a.rules()
	a.expect("all is well")
	for name, expr := range rules {
		if result, err := a.prometheus.Query(expr, true); err != nil || len(result) > 0 {
			t.Errorf("%s has data while all is well: %v, %v", name, result, err)
		}
	}
	a.failedTask()
	for _, f := range faults {
		f.begin(a)
		a.expect(f.name, f.want...)
		for _, alert := range f.want {
			name := strings.TrimSuffix(strings.Fields(alert)[0], ",")
			if result, err := a.prometheus.Query(rules[name], true); rules[name] != "" && (err != nil || len(result) == 0) {
				t.Errorf("%s fires and has no data: %v", name, err)
			}
			delete(rules, name)
		}
		f.end(a)
		a.expect(f.name + ", over")
	}
	delete(rules, "DownloadTaskFailed") // failedTask saw it
	delete(rules, "DownloadPlanFailing")
	if len(rules) > 0 {
		t.Errorf("no fault makes these fire: %v", slices.Sorted(maps.Keys(rules)))
	}
}

// failedTask stops a task and takes the time from the poll that sees it to the alert in Alertmanager: two scrapes, and a
// second for sending. A busy machine may need more, though not each of several times.
func (a *alerting) failedTask() {
	const (
		scrapeInterval = time.Second
		tries          = 5
	)
	a.t.Helper()
	for try := 1; ; try++ {
		took := a.timeToAlert()
		a.t.Logf("a failed download reaches Alertmanager %v after the poll, at a scrape interval of %v", took.Round(10*time.Millisecond), scrapeInterval)
		if took <= 2*scrapeInterval+time.Second {
			return
		}
		if try == tries {
			a.t.Errorf("the alert takes too long from the poll, %d times", tries)
			return
		}
	}
}

func (a *alerting) timeToAlert() time.Duration {
	a.t.Helper()
	a.plan("dbsorders", append([]dbssim.Task{aged("lost", "stop", 2*time.Hour)}, good()...)...)
	expectSoon(a.exporter, a.t, map[string]float64{plan("download_tasks", "dbsorders", `,status="stop"`): 1})
	polled := time.Now()
	exporter.Eventually(a.t, func() error {
		if a.firing()["DownloadTaskFailed dbsorders lost"] != "active" {
			return fmt.Errorf("the alert does not reach Alertmanager")
		}
		return nil
	})
	took := time.Since(polled)
	a.plan("dbsorders", good()...)
	a.expect("a failed download, over")
	return took
}

// reload gives the exporter another configuration.
func (a *alerting) reload(config string) {
	a.t.Helper()
	write(a.t, a.file, config)
	a.exporter.Signal(syscall.SIGHUP)
}

// Prometheus takes samples over every format, and native histograms over protobuf.
func TestScrapeFormats(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(finished(7)...)})
	p := exporter.Start(t, exporter.Options{Config: e.config("", "dbsa")})
	p.Ready()
	address := strings.TrimPrefix(p.URL, "http://")
	config := "global: {scrape_interval: 1s}\nscrape_configs:\n"
	protocols := map[string]string{"text": "PrometheusText0.0.4", "openmetrics": "OpenMetricsText1.0.0", "protobuf": "PrometheusProto"}
	for name, protocol := range protocols {
		config += fmt.Sprintf("  - {job_name: %s, scrape_protocols: [%s], scrape_native_histograms: %t, static_configs: [{targets: [%q]}]}\n",
			name, protocol, name == "protobuf", address)
	}
	file := filepath.Join(t.TempDir(), "prometheus.yml")
	write(t, file, config)
	server := prometheus.Start(t, file)
	for name := range protocols {
		for query, want := range map[string]int{
			`aliyun_dbs_download_tasks{status="finish", job="` + name + `"} == 7`:                                        1,
			`aliyun_dbs_poll_success{job="` + name + `"} == 1`:                                                           1,
			`histogram_count(aliyun_dbs_api_request_duration_seconds{job="` + name + `"}) > 0`:                           map[string]int{"protobuf": 1}[name],
			`aliyun_dbs_api_request_duration_seconds_bucket{le="+Inf", job="` + name + `"} > 0 and on (job) (up{} == 1)`: map[string]int{"text": 1, "openmetrics": 1}[name],
		} {
			exporter.Eventually(t, func() error {
				result, err := server.Query(query, true)
				if err == nil && len(result) != want {
					err = fmt.Errorf("%s has %d results, want %d", query, len(result), want)
				}
				return err
			})
		}
	}
}
