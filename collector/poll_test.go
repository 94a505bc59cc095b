package collector_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// plan names the labels of a plan of the test account.
func plan(id string) string {
	return `{account="acme",region_id="cn-hangzhou",plan_id="` + id + `"}`
}

func planWith(id, more string) string { return strings.TrimSuffix(plan(id), "}") + "," + more + "}" }

// taskList is a plan's list of tasks that a test changes.
type taskList struct {
	mu   sync.Mutex
	list []dbssim.Task
}

func (c *taskList) set(list ...dbssim.Task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = list
}

func (c *taskList) tasks(time.Time) []dbssim.Task {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.list
}

func counters(finished, failed string) map[string]string {
	return map[string]string{
		"download_tasks_finished_total" + plan("dbsa"): finished,
		"download_tasks_failed_total" + plan("dbsa"):   failed,
	}
}

// A plan that fails in any way keeps its last good data, does not touch the others, and recovers by itself.
func TestFailureIsContained(t *testing.T) {
	tests := []struct {
		name   string
		fault  dbssim.Fault
		reason string
	}{
		{"throttled", dbssim.Throttled(2 * time.Second), "throttled"},
		{"forbidden", dbssim.Failing(403, "Forbidden.RAM"), "forbidden"},
		{"unknown key", dbssim.Failing(404, "InvalidAccessKeyId.NotFound"), "auth"},
		{"unknown plan", dbssim.Failing(400, "Param.NotFound"), "not_found"},
		{"bad parameter", dbssim.Failing(400, "InvalidParameter"), "invalid_request"},
		{"server error", dbssim.Failing(500, "InternalError"), "server"},
		{"HTML page", dbssim.HTMLPage(200), "decode"},
		{"gateway page", dbssim.HTMLPage(502), "server"},
		{"redirect", dbssim.Fault{Status: 302, Location: "http://127.0.0.1:1/"}, "other"},
		{"dropped connection", dbssim.Fault{Drop: true}, "network"},
		{"truncated answer", dbssim.Fault{Truncate: true}, "network"},
		{"no answer", dbssim.Fault{Delay: time.Hour}, "timeout"},
		{"empty page of a full list", dbssim.Fault{Envelope: func(e map[string]any) { e["Items"] = nil }}, "decode"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := dbssim.New(nil, account(
					dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(tasks("a", 3)...)},
					dbssim.Plan{ID: "dbsb", Tasks: dbssim.Fixed(tasks("b", 5)...)},
				))
				f := newFixture(t, sim, simtest.Plans("", "dbsa", "dbsb"))
				f.run()
				succeeded := f.plan("dbsa").Poll.SucceededAt
				sim.SetFault("dbsa", tt.fault)
				f.polled("dbsa")
				if f.plan("dbsb").Poll.Polls == 1 {
					f.polled("dbsb")
				}

				failures := `api_request_failures_total{account="acme",region_id="cn-hangzhou",action="DescribeBackupSetDownloadTaskList",reason="` + tt.reason + `"}`
				f.expect(map[string]string{
					"poll_success" + plan("dbsa"):                          "0",
					"polls_total" + plan("dbsa"):                           "2",
					"poll_failures_total" + plan("dbsa"):                   "1",
					"poll_last_success_timestamp_seconds" + plan("dbsa"):   at(succeeded),
					"download_tasks" + planWith("dbsa", `status="finish"`): "3",
					"poll_success" + plan("dbsb"):                          "1",
					"polls_total" + plan("dbsb"):                           "2",
					"poll_failures_total" + plan("dbsb"):                   "0",
					"download_tasks" + planWith("dbsb", `status="finish"`): "5",
					"download_listing_complete" + plan("dbsb"):             "1",
				})
				if got := f.samples()[series(failures)]; got == "0" || got == "" {
					t.Errorf("%s is %q", failures, got)
				}
				f.until("a warning", func() bool { return len(f.log.lines("level=warn")) > 0 })
				lines := f.log.lines("level=warn")
				if len(lines) != 1 || !strings.Contains(lines[0], "plans=2 failed=1 reasons=\""+tt.reason+"=1\" plan_ids=dbsa") ||
					!strings.Contains(lines[0], "account=acme") {
					t.Errorf("warnings are %q", lines)
				}

				sim.ClearFault("dbsa")
				f.polled("dbsa")
				f.expect(map[string]string{
					"poll_success" + plan("dbsa"):        "1",
					"polls_total" + plan("dbsa"):         "3",
					"poll_failures_total" + plan("dbsa"): "1",
				})
				f.pass(2 * time.Minute)
				if n := len(f.log.lines("level=warn")); n > 2 {
					t.Errorf("%d warnings after the recovery", n)
				}
				if n := len(f.log.lines("Polls succeed again")); n != 1 {
					t.Errorf("the recovery was logged %d times", n)
				}
			})
		})
	}
}

// Data of a plan is kept until it is stale_after old and then dropped, down to the
// polling health, whether polls fail or do not end.
func TestStaleDataIsDropped(t *testing.T) {
	for name, fault := range map[string]dbssim.Fault{
		"polls fail": dbssim.Failing(403, "Forbidden.RAM"),
		"polls hang": {Delay: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(tasks("a", 3)...)}))
				f := newFixture(t, sim, simtest.Plans("poll_timeout: 60s\nstale_after: 3m", "dbsa, max_success_age: 1h"))
				f.run()
				sim.SetFault("dbsa", fault)
				succeeded := f.plan("dbsa").Poll.SucceededAt
				f.pass(3*time.Minute - time.Since(succeeded))
				f.expect(map[string]string{"download_tasks" + planWith("dbsa", `status="finish"`): "3"})
				f.pass(time.Millisecond)
				for name := range f.samples() {
					if strings.Contains(name, "dbsa") && !strings.HasPrefix(name, "poll") && !strings.HasPrefix(name, "plan_info") &&
						!strings.HasPrefix(name, "download_tasks_f") && !strings.HasPrefix(name, "download_max_success_age") {
						t.Errorf("%s is still there", name)
					}
				}
				f.expect(map[string]string{
					"poll_last_success_timestamp_seconds" + plan("dbsa"):                                 at(succeeded),
					"plan_info" + planWith("dbsa", `plan_name="",database_type="",resource_group_id=""`): "1",
					"download_tasks_finished_total" + plan("dbsa"):                                       "0",
					"download_max_success_age_seconds" + plan("dbsa"):                                    "3600",
				})
				sim.ClearFault("dbsa")
				f.pass(3 * time.Minute)
				f.expect(map[string]string{"download_tasks" + planWith("dbsa", `status="finish"`): "3"})
			})
		})
	}
}

// Before the first poll ends there is no outcome, and no zero in its place.
func TestBeforeFirstPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}))
		f := newFixture(t, sim, simtest.Plans("", "dbsa"))
		f.expect(map[string]string{
			"plan_info" + planWith("dbsa", `plan_name="",database_type="",resource_group_id=""`): "1",
			"polls_total" + plan("dbsa"):                                          "0",
			"poll_failures_total" + plan("dbsa"):                                  "0",
			"poll_success" + plan("dbsa"):                                         "absent",
			"poll_last_success_timestamp_seconds" + plan("dbsa"):                  "absent",
			"poll_duration_seconds" + plan("dbsa"):                                "absent",
			"download_tasks" + planWith("dbsa", `status="finish"`):                "absent",
			`exporter_clock_skew_seconds{account="acme",region_id="cn-hangzhou"}`: "absent",
		})
		if err := f.poller.Ready(); err == nil || err.Error() != "polling has not begun" {
			t.Errorf("ready: %v", err)
		}
		stop := f.run()
		if err := f.poller.Ready(); err != nil {
			t.Error(err)
		}
		stop()
		f.lint()
	})
}

// Every plan is polled once per interval, on a grid; due times that a slow poll
// covers are skipped and counted.
func TestSkippedPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}, dbssim.Plan{ID: "dbsb"}, dbssim.Plan{ID: "dbsc"}))
		f := newFixture(t, sim, simtest.Plans("poll_interval: 10s", "dbsa", "dbsb", "dbsc"))
		f.run()
		polls := func() (n uint64) {
			return f.plan("dbsa").Poll.Polls + f.plan("dbsb").Poll.Polls + f.plan("dbsc").Poll.Polls
		}
		f.pass(100 * time.Second)
		if n := polls(); n < 30 || n > 33 {
			t.Errorf("three plans were polled %d times in 100 s", n)
		}
		f.expect(map[string]string{"polls_skipped_total" + target: "0"})

		// Three plans of 4 s each, one at a time, need 12 s of every 10.
		sim.SetFault(dbssim.Everything, dbssim.Fault{Delay: 4 * time.Second})
		before := polls()
		f.pass(20 * time.Minute)
		made, skipped := polls()-before, f.poller.Snapshot().Targets[0].Skipped
		if made < 270 || made > 300 {
			t.Errorf("%d polls of 4 s were made in 1,200 s", made)
		}
		if due := made + skipped; due < 355 || due > 360 {
			t.Errorf("%d polls and %d skipped ones, want 360 due times", made, skipped)
		}
	})
}

// max_concurrent_requests polls run at a time.
func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var plans []dbssim.Plan
		var ids []string
		for i := range 12 {
			id := fmt.Sprintf("dbs%02d", i)
			plans, ids = append(plans, dbssim.Plan{ID: id}), append(ids, id)
		}
		sim := dbssim.New(nil, account(plans...))
		sim.SetFault(dbssim.Everything, dbssim.Fault{Delay: time.Second})
		c := simtest.Plans("", ids...)
		c.Targets[0].Concurrency = 5
		f := newFixture(t, sim, c)
		start := time.Now()
		if err := f.poller.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		// 12 polls of a second, 5 at a time, started a millisecond apart.
		if took := time.Since(start).Truncate(100 * time.Millisecond); took != 3*time.Second {
			t.Errorf("took %v, want 3s", took)
		}
	})
}

func TestOnceReportsFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}))
		c := simtest.Plans("", "dbsa", "dbsgone", "dbsgone2")
		f := newFixture(t, sim, c)
		if err := f.poller.Once(t.Context()); err == nil || err.Error() != "poll once: 2 of 3 plans failed" {
			t.Errorf("error is %v", err)
		}
		f.restart(c, poll.Shard{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := f.poller.Once(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
	})
}

// The end of the process in the middle of a poll is no failure of the plan.
func TestStopInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}))
		f := newFixture(t, sim, simtest.Plans("", "dbsa"))
		stop := f.run()
		sim.SetFault("dbsa", dbssim.Fault{Delay: time.Hour})
		f.until("a poll runs", func() bool { return f.plan("dbsa").Poll.Running })
		start := time.Now()
		stop()
		if took := time.Since(start); took != 0 {
			t.Errorf("stopping took %v", took)
		}
		f.expect(map[string]string{"polls_total" + plan("dbsa"): "1", "poll_failures_total" + plan("dbsa"): "0"})
		if lines := f.log.lines("level=warn"); len(lines) != 0 {
			t.Errorf("logged %q", lines)
		}
	})
}

// Slow polls do not make the exporter unhealthy.
func TestHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}))
		f := newFixture(t, sim, simtest.Plans("", "dbsa"))
		f.run()
		sim.SetFault("dbsa", dbssim.Fault{Delay: time.Hour})
		for range 20 {
			f.pass(17 * time.Second)
			if err := f.poller.Healthy(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// An undocumented status is logged once, and only if it reads as one.
func TestUnknownStatusIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := []dbssim.Task{
			{ID: "a", Status: "archived"},
			{ID: "b", Status: "archived"},
			{ID: "c", Status: " finish "},
			{ID: "d", Status: "https://" + dbssim.CapabilityURL},
		}
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(list...)}))
		f := newFixture(t, sim, simtest.Plans("", "dbsa"))
		f.run()
		f.pass(10 * time.Minute)
		lines := f.log.lines("Undocumented task status")
		if len(lines) != 2 || !strings.Contains(lines[0], "plan_id=dbsa status=archived") || !strings.Contains(lines[1], `status=<redacted>`) {
			t.Errorf("logged %q", lines)
		}
		f.expect(map[string]string{
			"download_tasks" + planWith("dbsa", `status="unknown"`): "3",
			"download_tasks" + planWith("dbsa", `status="finish"`):  "1",
		})
	})
}

// A listing that had to end early is published, and says so.
func TestIncompleteListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(tasks("a", 230)...)}))
		f := newFixture(t, sim, simtest.Plans("", "dbsa"))
		f.run()
		complete, finished := "download_listing_complete"+plan("dbsa"), "download_tasks"+planWith("dbsa", `status="finish"`)
		f.expect(map[string]string{complete: "1", finished: "230"})
		for _, step := range []struct {
			fault          dbssim.Fault
			complete, want string
		}{
			{dbssim.Fault{Repeat: true}, "0", "100"},
			{dbssim.WrongTotals(0, 231), "0", "230"},
			{dbssim.Fault{Repeat: true, Envelope: dbssim.WrongTotals(-1, -1).Envelope}, "0", "100"},
			{dbssim.Fault{Repeat: true, Envelope: dbssim.WrongTotals(1, 50).Envelope}, "0", "100"},
			{dbssim.WrongTotals(9, -1), "0", "230"},
			{dbssim.WrongTotals(-1, -1), "absent", "230"},
			{dbssim.Fault{OneBased: true}, "1", "230"},
		} {
			sim.SetFault("dbsa", step.fault)
			f.polled("dbsa")
			f.expect(map[string]string{complete: step.complete, finished: step.want, "poll_success" + plan("dbsa"): "1"})
		}
	})
}
