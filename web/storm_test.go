package web_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"

	"aliyun_dbs_exporter/collector"
	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
	"aliyun_dbs_exporter/web"
)

// Reloads that move 60 targets between endpoints, while everybody reads every
// page: no request fails and no counter falls. A third of the targets discovers
// its plans, and a third finishes a download now and then.
func TestReloadStorm(t *testing.T) {
	const targets = 60
	synctest.Test(t, func(t *testing.T) {
		var plans []dbssim.Plan
		text := func(endpoint string) string {
			c := simtest.Config{Top: "poll_interval: 10s"}
			for i := range targets {
				target := simtest.Target{Account: fmt.Sprintf("acme%d", i), Endpoint: endpoint}
				if i%3 == 0 {
					target.RegionID = []string{"cn-hangzhou", "cn-shanghai"}[i%2]
					target.Discovery = []string{"enabled: true"}
				} else {
					target.Plans = []string{fmt.Sprintf("dbs%02d", i)}
				}
				c.Targets = append(c.Targets, target)
			}
			return c.String()
		}
		for i := range targets {
			plan := dbssim.Plan{ID: fmt.Sprintf("dbs%02d", i)}
			switch i {
			case 0:
				plan.Region = "cn-hangzhou"
			case 1:
				plan.Region = "cn-shanghai"
			}
			plan.Tasks = func(now time.Time) []dbssim.Task {
				done := now.Truncate(7 * time.Second)
				return []dbssim.Task{{
					ID: "t" + strconv.FormatInt(done.Unix(), 10), Status: "finish", JobType: "cbs_backup_sub_full",
					Created: done.Add(-time.Hour), Finished: done,
				}}
			}
			plans = append(plans, plan)
		}
		sim := dbssim.New(nil, dbssim.Account{
			AccessKeyID: simtest.KeyID, AccessKeySecret: simtest.KeySecret, SecurityToken: simtest.KeyToken, Plans: plans,
		})
		instruments := collector.NewInstruments()
		poller := poll.New(poll.Options{Dial: simtest.Serve(t, sim).Dial, Hooks: instruments.Hooks()}, log.NewNopLogger())
		registry := prometheus.NewRegistry()
		s := newSite(t, poller.Snapshot, func(o *web.Options) {
			o.Registry, o.Ready, o.Healthy = registry, poller.Ready, poller.Healthy
			o.Reload = config.NewReloader(func() (*config.Config, error) { return config.Parse([]byte(text("http://127.0.0.1:1")), "config.yml") },
				poller.Apply, log.NewNopLogger())
		})
		registry.MustRegister(collector.New(poller.Snapshot, s.options.Reload.Last, instruments))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { poller.Run(ctx) })
		defer running.Wait()
		defer cancel()

		before := make(map[string]float64)
		for i := range stormReloads {
			time.Sleep(50 * time.Second / stormReloads)
			parsed, err := config.Parse([]byte(text(fmt.Sprintf("http://127.0.0.1:%d", 1+i%2))), "config.yml")
			if err != nil {
				t.Fatal(err)
			}
			var busy sync.WaitGroup
			busy.Go(func() {
				if err := poller.Apply(parsed); err != nil {
					t.Error(err)
				}
			})
			pages := map[string]string{"/": "", "/api/v1/status": "", "/metrics": ""}
			var mu sync.Mutex
			for path := range maps.Clone(pages) {
				busy.Go(func() {
					response := s.send(http.MethodGet, path)
					if response.Code != http.StatusOK {
						t.Errorf("reload %d: %s answers %d", i, path, response.Code)
					}
					mu.Lock()
					defer mu.Unlock()
					pages[path] = response.Body.String()
				})
			}
			busy.Wait()
			if i%5 == 0 {
				checkCounters(t, i, before, pages["/metrics"])
			}
		}
		if n := before[`aliyun_dbs_polls_total{account="acme1",plan_id="dbs01",region_id="cn-hangzhou"}`]; n == 0 {
			t.Error("a plan was never polled")
		}
		if n := before[`aliyun_dbs_download_duration_seconds_count{account="acme1",backup_type="full",region_id="cn-hangzhou"}`]; n == 0 {
			t.Error("no download has finished")
		}
	})
}

// checkCounters fails for each counter that is lower than before.
func checkCounters(t *testing.T, reload int, before map[string]float64, page string) {
	t.Helper()
	for line := range strings.Lines(page) {
		series, text, ok := strings.Cut(strings.TrimSpace(line), "} ")
		series += "}"
		name, _, _ := strings.Cut(series, "{")
		if !ok || !strings.HasSuffix(name, "_total") && !strings.HasSuffix(name, "_count") && !strings.HasSuffix(name, "_bucket") {
			continue
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		if value < before[series] {
			t.Fatalf("reload %d: %s fell from %v to %v", reload, series, before[series], value)
		}
		before[series] = value
	}
}
