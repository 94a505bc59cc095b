package e2e

import (
	"sync"
	"testing"
	"time"

	"aliyun_dbs_exporter/dbsapi/dbssim"

	"test/internal/exporter"
)

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

// Every figure of an awkward plan is right to the byte and the second, over three pages.
func TestFigures(t *testing.T) {
	now := time.Now().Truncate(time.Millisecond)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	seconds := func(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }
	list := finished(230)
	list = append(list,
		dbssim.Task{ID: "running1", Status: "running", Bytes: 5_000_000_000_123, Created: ago(90 * time.Minute)},
		dbssim.Task{ID: "failed1", Status: "stop", Bytes: 77, Created: ago(2 * time.Hour), Finished: ago(time.Hour)},
		dbssim.Task{ID: "done1", Status: "finish", Bytes: 1_234_567, Created: ago(5 * time.Hour), Finished: ago(2*time.Hour + 30*time.Minute)},
		dbssim.Task{ID: "backwards1", Status: "finish", Bytes: 88, Created: ago(3 * time.Hour), Finished: ago(4 * time.Hour)},
		dbssim.Task{ID: "endless1", Status: "finish", Bytes: 99, Created: ago(6 * time.Hour)},
		dbssim.Task{ID: "strange1", Status: "archived", Bytes: 110, Created: ago(8 * time.Hour)},
		list[0], list[100],
	)
	e := newEndpoint(t, dbssim.Plan{ID: "dbsodd", Tasks: dbssim.Fixed(list...)}, dbssim.Plan{ID: "dbsempty"})
	p := exporter.Start(t, exporter.Options{Config: e.config("", "dbsodd, name: orders, max_success_age: 26h", "dbsempty")})
	p.Polled()
	page := p.Metrics()
	for series, want := range map[string]float64{
		plan("download_tasks", "dbsodd", `,status="finish"`):                                                    233,
		plan("download_tasks", "dbsodd", `,status="running"`):                                                   1,
		plan("download_tasks", "dbsodd", `,status="stop"`):                                                      1,
		plan("download_tasks", "dbsodd", `,status="unknown"`):                                                   1,
		plan("download_tasks", "dbsodd", `,status="pause"`):                                                     0,
		plan("download_data_bytes", "dbsodd", `,status="running"`):                                              5_000_000_000_123,
		plan("download_data_bytes", "dbsodd", `,status="finish"`):                                               230_000 + 1_234_567 + 88 + 99,
		plan("download_last_success_timestamp_seconds", "dbsodd", ""):                                           seconds(ago(2*time.Hour + 30*time.Minute)),
		plan("download_last_success_duration_seconds", "dbsodd", ""):                                            9000,
		plan("download_last_success_data_bytes", "dbsodd", ""):                                                  1_234_567,
		plan("download_last_failure_timestamp_seconds", "dbsodd", `,status="stop"`):                             seconds(ago(time.Hour)),
		plan("download_oldest_task_created_timestamp_seconds", "dbsodd", `,status="running"`):                   seconds(ago(90 * time.Minute)),
		plan("download_max_success_age_seconds", "dbsodd", ""):                                                  93600,
		plan("download_listing_complete", "dbsodd", ""):                                                         0, // 238 rows are 236 tasks
		plan("download_invalid_tasks", "dbsodd", `,reason="duplicate_id"`):                                      2,
		plan("download_invalid_tasks", "dbsodd", `,reason="bad_time"`):                                          1,
		plan("download_invalid_tasks", "dbsodd", `,reason="negative_duration"`):                                 1,
		plan("download_tasks_hidden", "dbsodd", `,reason="age"`):                                                230,
		plan("plan_info", "dbsodd", `,plan_name="orders",database_type="",resource_group_id=""`):                1,
		task("duration_seconds", "dbsodd", "failed1", ""):                                                       3600,
		task("status", "dbsodd", "strange1", `,status="unknown"`):                                               1,
		task("created_timestamp_seconds", "dbsodd", "running1", ""):                                             seconds(ago(90 * time.Minute)),
		task("finished_timestamp_seconds", "dbsodd", "backwards1", ""):                                          seconds(ago(4 * time.Hour)),
		task("data_bytes", "dbsodd", "endless1", ""):                                                            99,
		plan("download_tasks", "dbsempty", `,status="finish"`):                                                  0,
		plan("download_listing_complete", "dbsempty", ""):                                                       1,
		`aliyun_dbs_exporter_poll_interval_seconds`:                                                             1,
		`aliyun_dbs_download_duration_seconds_count{account="acme",region_id="cn-hangzhou",backup_type="full"}`: 0,
	} {
		if err := page.Is(series, want); err != nil {
			t.Error(err)
		}
	}
	for _, absent := range []string{
		plan("download_last_success_timestamp_seconds", "dbsempty", ""), task("duration_seconds", "dbsodd", "backwards1", ""),
		task("finished_timestamp_seconds", "dbsodd", "endless1", ""), task("finished_timestamp_seconds", "dbsodd", "running1", ""),
	} {
		if v, ok := page.Value(absent); ok {
			t.Errorf("%s is %v", absent, v)
		}
	}
}

// Downloads that ended before the start do not count, later ones count once, and a restart counts none again.
func TestEndsCountOnce(t *testing.T) {
	t.Parallel()
	var list changing
	created := time.Now().Add(-time.Hour)
	running := dbssim.Task{ID: "a", Status: "running", JobType: "cbs_backup_sub_full", Created: created}
	old := finished(5)
	list.set(append(old, running)...)
	e := newEndpoint(t, dbssim.Plan{ID: "dbsa", Tasks: list.tasks})
	counts := func(finished float64) map[string]float64 {
		return map[string]float64{
			plan("download_tasks_finished_total", "dbsa", ""):                                                                 finished,
			plan("download_tasks_failed_total", "dbsa", ""):                                                                   0,
			`aliyun_dbs_download_duration_seconds_count{account="acme",region_id="cn-hangzhou",backup_type="full"}`:           finished,
			`aliyun_dbs_download_duration_seconds_sum{account="acme",region_id="cn-hangzhou",backup_type="full"}`:             finished * 1800,
			`aliyun_dbs_download_duration_seconds_bucket{account="acme",region_id="cn-hangzhou",backup_type="full",le="900"}`: 0,
		}
	}
	start := func() *exporter.Process {
		p := exporter.Start(t, exporter.Options{Config: e.config("", "dbsa")})
		p.Polled()
		return p
	}
	succeeded := func(p *exporter.Process) float64 {
		page := p.Metrics()
		return page.Sum("aliyun_dbs_polls_total") - page.Sum("aliyun_dbs_poll_failures_total")
	}
	polled := func(p *exporter.Process, more float64) {
		before := succeeded(p)
		exporter.Eventually(t, func() error {
			if succeeded(p) < before+more {
				return errNothingChanges
			}
			return nil
		})
	}
	check := func(p *exporter.Process, finished float64) {
		t.Helper()
		page := p.Metrics()
		want := counts(finished)
		for series, value := range want {
			if err := page.Is(series, value); err != nil {
				t.Error(err)
			}
		}
	}
	p := start()
	check(p, 0)
	// An end counts if its time is not before the first listing; Date has whole seconds.
	end := time.Now().Truncate(time.Second).Add(time.Second)
	ended := dbssim.Task{ID: "a", Status: "finish", JobType: "cbs_backup_sub_full", Created: end.Add(-30 * time.Minute), Finished: end}
	list.set(append(old, ended)...)
	polled(p, 2)
	check(p, 1)
	polled(p, 2)
	check(p, 1)
	if n := nativeObservations(p.Families(exporter.AcceptProtobuf)["aliyun_dbs_download_duration_seconds"]); n != 1 {
		t.Errorf("%d downloads are in a native histogram", n)
	}
	p.Signal(stopSignals["SIGTERM"])
	if code := p.Wait(exporter.StopTime); code != 0 {
		t.Errorf("exit code is %d", code)
	}
	check(start(), 0)
}
