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

	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// plan names the labels of a plan of the test account.
func plan(id string) string {
	return `{account="acme",region_id="cn-hangzhou",plan_id="` + id + `"}`
}

func planWith(id, more string) string { return strings.TrimSuffix(plan(id), "}") + "," + more + "}" }

// changing is a plan's list of tasks that a test changes.
type changing struct {
	mu   sync.Mutex
	list []dbssim.Task
}

func (c *changing) set(list ...dbssim.Task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = list
}

func (c *changing) tasks(time.Time) []dbssim.Task {
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

// Ends count once each: not those of the first listing, not again when listed again, and not after a restart.
func TestEndsAreCountedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var list changing
		full := func(id, status string, ended time.Time) dbssim.Task {
			return dbssim.Task{ID: id, Status: status, JobType: "cbs_backup_sub_full", Created: ago(time.Hour), Finished: ended}
		}
		old, oldFailed := full("old", "finish", ago(time.Minute)), full("oldfailed", "stop", ago(time.Minute))
		list.set(old, oldFailed, full("a", "running", time.Time{}))
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: list.tasks}))
		b := newBench(t, sim, configText("", "dbsa"))
		b.expect(counters("0", "0"))
		stop := b.run()
		b.expect(counters("0", "0"))

		steps := []struct {
			name             string
			tasks            []dbssim.Task
			finished, failed string
		}{
			{"nothing new", []dbssim.Task{old, oldFailed, full("a", "running", time.Time{})}, "0", "0"},
			{"one finishes", []dbssim.Task{old, oldFailed, full("a", "finish", epoch)}, "1", "0"},
			{"listed again", []dbssim.Task{old, oldFailed, full("a", "finish", epoch)}, "1", "0"},
			{"row is missing", []dbssim.Task{old}, "1", "0"},
			{"row is back", []dbssim.Task{old, oldFailed, full("a", "finish", epoch)}, "1", "0"},
			{"one comes and goes between polls", []dbssim.Task{old, full("b", "stop", epoch)}, "1", "1"},
			{"it is started again", []dbssim.Task{old, full("b", "running", time.Time{})}, "1", "1"},
			{"it fails again", []dbssim.Task{old, full("b", "stop", epoch.Add(time.Minute))}, "1", "2"},
			{"an older replica answers", []dbssim.Task{old, full("b", "stop", epoch)}, "1", "2"},
			{"it finishes at last", []dbssim.Task{old, full("b", "finish", epoch.Add(2*time.Minute))}, "2", "2"},
			{"one fails without a time", []dbssim.Task{full("c", "stop", time.Time{})}, "2", "3"},
			{"the time comes later", []dbssim.Task{full("c", "stop", epoch)}, "2", "3"},
			{"an older replica has no time", []dbssim.Task{full("c", "stop", time.Time{})}, "2", "3"},
			{"it fails again", []dbssim.Task{full("c", "stop", epoch.Add(time.Minute))}, "2", "4"},
			{"one has no ID", []dbssim.Task{full("", "stop", epoch)}, "2", "4"},
			{"the list is empty", nil, "2", "4"},
		}
		for _, s := range steps {
			list.set(s.tasks...)
			b.pass(time.Minute)
			for name, want := range counters(s.finished, s.failed) {
				if got := b.samples()[series(name)]; got != want {
					t.Errorf("%s: %s is %s, want %s", s.name, name, got, want)
				}
			}
		}
		// a took an hour, b an hour and two minutes.
		b.expect(map[string]string{
			`download_duration_seconds_count{account="acme",region_id="cn-hangzhou",backup_type="full"}`:            "2",
			`download_duration_seconds_sum{account="acme",region_id="cn-hangzhou",backup_type="full"}`:              "7320",
			`download_duration_seconds_bucket{account="acme",region_id="cn-hangzhou",backup_type="full",le="3600"}`: "1",
			`download_duration_seconds_bucket{account="acme",region_id="cn-hangzhou",backup_type="full",le="7200"}`: "2",
		})
		stop()

		list.set(full("a", "finish", epoch), full("d", "stop", epoch))
		b.restart(configText("", "dbsa"))
		stop = b.run()
		defer stop()
		b.pass(3 * time.Minute)
		b.expect(counters("0", "0"))
	})
}

// An end that the API lists no more is forgotten after a day; then it is news again.
func TestEndsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var list changing
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: list.tasks}))
		b := newBench(t, sim, configText("poll_interval: 1h", "dbsa"))
		defer b.run()()
		done := dbssim.Task{ID: "a", Status: "finish", Created: epoch, Finished: epoch}
		list.set(done)
		b.pass(time.Hour)
		b.expect(counters("1", "0"))
		for _, absent := range []struct {
			hours int
			want  string
		}{{20, "1"}, {26, "2"}} {
			list.set()
			b.pass(time.Duration(absent.hours) * time.Hour)
			list.set(done)
			b.pass(time.Hour)
			b.expect(counters(absent.want, "0"))
		}
	})
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
				b := newBench(t, sim, configText("", "dbsa", "dbsb"))
				defer b.run()()
				sim.SetFault("dbsa", tt.fault)
				b.pass(2*time.Minute - time.Second) // one round with the fault, all of it

				failures := `api_request_failures_total{account="acme",region_id="cn-hangzhou",action="DescribeBackupSetDownloadTaskList",reason="` + tt.reason + `"}`
				b.expect(map[string]string{
					"poll_success" + plan("dbsa"):                          "0",
					"polls_total" + plan("dbsa"):                           "2",
					"poll_failures_total" + plan("dbsa"):                   "1",
					"poll_last_success_timestamp_seconds" + plan("dbsa"):   "9.466848e+08",
					"download_tasks" + planWith("dbsa", `status="finish"`): "3",
					"poll_success" + plan("dbsb"):                          "1",
					"polls_total" + plan("dbsb"):                           "2",
					"poll_failures_total" + plan("dbsb"):                   "0",
					"download_tasks" + planWith("dbsb", `status="finish"`): "5",
					"download_listing_complete" + plan("dbsb"):             "1",
				})
				if got := b.samples()[series(failures)]; got == "0" || got == "" {
					t.Errorf("%s is %q", failures, got)
				}
				lines := b.log.lines("level=warn")
				if len(lines) != 1 || !strings.Contains(lines[0], "plans=2 failed=1 reasons=\""+tt.reason+"=1\" plan_ids=dbsa") ||
					!strings.Contains(lines[0], "account=acme") {
					t.Errorf("warnings are %q", lines)
				}

				sim.ClearFault("dbsa")
				b.pass(time.Minute)
				b.expect(map[string]string{
					"poll_success" + plan("dbsa"):        "1",
					"polls_total" + plan("dbsa"):         "3",
					"poll_failures_total" + plan("dbsa"): "1",
				})
				if n := len(b.log.lines("level=warn")); n != 1 {
					t.Errorf("%d warnings after the recovery", n)
				}
			})
		})
	}
}

// Data of a plan whose polls fail is kept for stale_after and then dropped, down to the polling health.
func TestStaleDataIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(tasks("a", 3)...)}))
		b := newBench(t, sim, configText("stale_after: 3m", "dbsa, max_success_age: 1h"))
		defer b.run()()
		sim.SetFault("dbsa", dbssim.Failing(403, "Forbidden.RAM"))
		b.pass(3 * time.Minute)
		b.expect(map[string]string{"download_tasks" + planWith("dbsa", `status="finish"`): "3"})
		b.pass(time.Millisecond)
		for name := range b.samples() {
			if strings.Contains(name, "dbsa") && !strings.HasPrefix(name, "poll") && !strings.HasPrefix(name, "plan_info") &&
				!strings.HasPrefix(name, "download_tasks_f") && !strings.HasPrefix(name, "download_max_success_age") {
				t.Errorf("%s is still there", name)
			}
		}
		b.expect(map[string]string{
			"poll_success" + plan("dbsa"):                                   "0",
			"poll_last_success_timestamp_seconds" + plan("dbsa"):            "9.466848e+08",
			"plan_info" + planWith("dbsa", `plan_name="",database_type=""`): "1",
			"download_tasks_finished_total" + plan("dbsa"):                  "0",
			"download_max_success_age_seconds" + plan("dbsa"):               "3600",
		})
		sim.ClearFault("dbsa")
		b.pass(time.Minute)
		b.expect(map[string]string{"download_tasks" + planWith("dbsa", `status="finish"`): "3"})
	})
}

// Before the first poll ends there is no outcome, and no zero in its place.
func TestBeforeFirstPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}))
		b := newBench(t, sim, configText("", "dbsa"))
		b.expect(map[string]string{
			"plan_info" + planWith("dbsa", `plan_name="",database_type=""`):       "1",
			"polls_total" + plan("dbsa"):                                          "0",
			"poll_failures_total" + plan("dbsa"):                                  "0",
			"poll_success" + plan("dbsa"):                                         "absent",
			"poll_last_success_timestamp_seconds" + plan("dbsa"):                  "absent",
			"poll_duration_seconds" + plan("dbsa"):                                "absent",
			"download_tasks" + planWith("dbsa", `status="finish"`):                "absent",
			`exporter_clock_skew_seconds{account="acme",region_id="cn-hangzhou"}`: "absent",
		})
		if err := b.collector.Ready(); err == nil || err.Error() != "the first poll round of account acme in cn-hangzhou has not ended" {
			t.Errorf("ready: %v", err)
		}
		stop := b.run()
		if err := b.collector.Ready(); err != nil {
			t.Error(err)
		}
		stop()
		b.lint()
	})
}

// Every plan is polled once per interval, on a grid; rounds that a slow one covers are skipped and counted.
func TestRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}, dbssim.Plan{ID: "dbsb"}, dbssim.Plan{ID: "dbsc"}))
		b := newBench(t, sim, configText("poll_interval: 10s", "dbsa", "dbsb", "dbsc"))
		defer b.run()()
		skipped := `exporter_rounds_skipped_total{account="acme",region_id="cn-hangzhou"}`
		b.pass(95 * time.Second)
		b.expect(map[string]string{"polls_total" + plan("dbsa"): "10", "polls_total" + plan("dbsc"): "10", skipped: "0"})

		// Three plans of 8 s each, one after the other: a round takes 24 s, covers two starts and ends before the third.
		sim.SetFault(dbssim.Everything, dbssim.Fault{Delay: 8 * time.Second})
		b.pass(60 * time.Second) // rounds from 100 s and from 130 s
		b.expect(map[string]string{"polls_total" + plan("dbsc"): "12", skipped: "4"})
		sim.ClearFault(dbssim.Everything)
		b.pass(10 * time.Second)
		b.expect(map[string]string{"polls_total" + plan("dbsc"): "13", skipped: "4"})
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
		text := strings.Replace(configText("", ids...), "max_concurrent_requests: 1", "max_concurrent_requests: 5", 1)
		b := newBench(t, sim, text)
		start := time.Now()
		if err := b.collector.PollOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		// 12 polls of a second, 5 at a time, started a millisecond apart.
		if took := time.Since(start).Truncate(100 * time.Millisecond); took != 3*time.Second {
			t.Errorf("took %v, want 3s", took)
		}
	})
}

func TestPollOnceReportsFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}))
		b := newBench(t, sim, configText("", "dbsa", "dbsgone", "dbsgone2"))
		if err := b.collector.PollOnce(t.Context()); err == nil || err.Error() != "poll once: 2 of 3 plans failed" {
			t.Errorf("error is %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.collector.PollOnce(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
	})
}

// The end of the process in the middle of a poll is no failure of the plan.
func TestStopInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}))
		b := newBench(t, sim, configText("", "dbsa"))
		stop := b.run()
		sim.SetFault("dbsa", dbssim.Fault{Delay: time.Hour})
		b.pass(time.Minute + time.Second)
		start := time.Now()
		stop()
		if took := time.Since(start); took != 0 {
			t.Errorf("stopping took %v", took)
		}
		b.expect(map[string]string{"polls_total" + plan("dbsa"): "1", "poll_failures_total" + plan("dbsa"): "0"})
		if lines := b.log.lines("level=warn"); len(lines) != 0 {
			t.Errorf("logged %q", lines)
		}
	})
}

func TestHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}))
		b := newBench(t, sim, configText("", "dbsa"))
		stop := b.run()
		sim.SetFault("dbsa", dbssim.Fault{Delay: time.Hour}) // slow polls are not a loop that stands still
		for range 20 {
			b.pass(17 * time.Second)
			if err := b.collector.Healthy(); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		b.pass(2*time.Minute + 11*time.Second)
		if err := b.collector.Healthy(); err == nil || err.Error() != "the poll loop of account acme in cn-hangzhou stands still" {
			t.Errorf("error is %v", err)
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
		b := newBench(t, sim, configText("", "dbsa"))
		defer b.run()()
		b.pass(10 * time.Minute)
		lines := b.log.lines("Undocumented task status")
		if len(lines) != 2 || !strings.Contains(lines[0], "plan_id=dbsa status=archived") || !strings.Contains(lines[1], `status="(no plain word)"`) {
			t.Errorf("logged %q", lines)
		}
		b.expect(map[string]string{
			"download_tasks" + planWith("dbsa", `status="unknown"`): "3",
			"download_tasks" + planWith("dbsa", `status="finish"`):  "1",
		})
	})
}

// A listing that had to end early is published, and says so.
func TestIncompleteListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(tasks("a", 230)...)}))
		b := newBench(t, sim, configText("", "dbsa"))
		defer b.run()()
		b.pass(time.Second)
		complete, finished := "download_listing_complete"+plan("dbsa"), "download_tasks"+planWith("dbsa", `status="finish"`)
		b.expect(map[string]string{complete: "1", finished: "230"})
		for _, step := range []struct {
			fault          dbssim.Fault
			complete, want string
		}{
			{dbssim.Fault{Repeat: true}, "0", "100"},
			{dbssim.WrongTotals(0, 0), "1", "230"},
			{dbssim.WrongTotals(0, 231), "0", "230"},
			{dbssim.Fault{OneBased: true}, "1", "230"},
		} {
			sim.SetFault("dbsa", step.fault)
			b.pass(time.Minute)
			b.expect(map[string]string{complete: step.complete, finished: step.want, "poll_success" + plan("dbsa"): "1"})
		}
	})
}
