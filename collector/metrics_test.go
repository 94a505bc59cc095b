package collector_test

import (
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// epoch is where time starts in a synctest bubble.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return epoch.Add(-d) }

// oddTasks is a listing of 238 rows with everything that can be wrong with one.
func oddTasks() []dbssim.Task {
	list := tasks("old", 220)
	for i := range list {
		list[i].Created, list[i].Finished = ago(72*time.Hour), ago(48*time.Hour)
	}
	full := dbssim.Task{JobType: "cbs_backup_sub_full", DBType: "MySQL", Format: "SQL", Way: "auto", TargetType: "agent", GatewayID: 160813}
	task := func(id, status string, bytes int64, created, finished time.Duration, change ...func(*dbssim.Task)) dbssim.Task {
		t := full
		t.ID, t.Name, t.BackupSetID, t.Status, t.Bytes = id, "set-"+id+"-AutoFull", "set-"+id, status, bytes
		t.Created = ago(created)
		if finished != 0 {
			t.Finished = ago(finished)
		}
		for _, f := range change {
			f(&t)
		}
		return t
	}
	list = append(list,
		task("checking1", "checking", 11, time.Minute, 0),
		task("precheck1", "init", 22, 3*time.Hour, 0),
		task("passed1", "check_pass", 33, 4*time.Minute, 0),
		task("queued1", "schedule", 44, 50*time.Minute, 0),
		task("queued2", "schedule", 45, 40*time.Minute, 0),
		task("running1", "running", 5_000_000_000_123, 90*time.Minute+7*time.Millisecond, 0),
		task("paused1", "pause", 66, 100*time.Hour, 0),
		task("failed1", "stop", 77, 2*time.Hour, time.Hour),
		task("failed2", "stop", 78, 30*time.Minute, 0),
		task("done1", "finish", 1_234_567, 5*time.Hour, 2*time.Hour+30*time.Minute, func(t *dbssim.Task) {
			t.JobType, t.Way, t.TargetType, t.GatewayID, t.Format = "cbs_backup_sub_cont", "manual", "", 0, "Native"
		}),
		task("backwards1", "finish", 88, 3*time.Hour, 4*time.Hour),
		task("endless1", "finish", 99, 6*time.Hour, 0),
		task("strange1", "archived", 110, 8*time.Hour, 0, func(t *dbssim.Task) { t.JobType = "cbs_backup_sub_diff" }),
		task("badsize1", "finish", 0, 20*time.Hour, 19*time.Hour, func(t *dbssim.Task) { t.Raw = map[string]any{"BackupSetDataSize": "12 GB"} }),
		task("badtime1", "running", 121, 0, 0, func(t *dbssim.Task) { t.Raw = map[string]any{"BackupSetDownloadCreateTime": 946684800} }),
		task("", "finish", 132, 10*time.Hour, 9*time.Hour),
	)
	again := task("running1", "running", 5_000_000_000_123, 90*time.Minute+7*time.Millisecond, 0)
	return append(list, list[7], again)
}

// Every value of a page about a listing that has everything wrong that a listing can have, and about an empty one.
func TestEveryValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(
			dbssim.Plan{ID: "dbsodd", Tasks: dbssim.Fixed(oddTasks()...)},
			dbssim.Plan{ID: "dbsempty"},
		))
		f := newFixture(t, sim, simtest.Plans("", "dbsodd, name: orders, max_success_age: 26h", "dbsempty"))
		if err := f.poller.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.lint()
		simtest.Golden(t, "every_value.prom", f.page())

		// The figures below are worked out by hand; 238 rows are 236 tasks, one of them without an ID.
		const odd = `account="acme",plan_id="dbsodd",region_id="cn-hangzhou"`
		const empty = `account="acme",plan_id="dbsempty",region_id="cn-hangzhou"`
		want := map[string]string{
			`download_tasks{` + odd + `,status="checking"}`:   "1",
			`download_tasks{` + odd + `,status="init"}`:       "1",
			`download_tasks{` + odd + `,status="check_pass"}`: "1",
			`download_tasks{` + odd + `,status="schedule"}`:   "2",
			`download_tasks{` + odd + `,status="running"}`:    "2",
			`download_tasks{` + odd + `,status="pause"}`:      "1",
			`download_tasks{` + odd + `,status="stop"}`:       "2",
			`download_tasks{` + odd + `,status="finish"}`:     "225",
			`download_tasks{` + odd + `,status="unknown"}`:    "1",

			`download_data_bytes{` + odd + `,status="running"}`: "5.000000000244e+12",
			`download_data_bytes{` + odd + `,status="finish"}`:  "1.454886e+06",
			`download_data_bytes{` + odd + `,status="stop"}`:    "155",

			`download_last_success_timestamp_seconds{` + odd + `}`:                                                                        "9.466758e+08",
			`download_last_success_duration_seconds{` + odd + `}`:                                                                         "9000",
			`download_last_success_data_bytes{` + odd + `}`:                                                                               "1.234567e+06",
			`download_last_failure_timestamp_seconds{` + odd + `,status="stop"}`:                                                          "9.46683e+08",
			`download_last_failure_timestamp_seconds{` + odd + `,status="init"}`:                                                          "9.46674e+08",
			`download_oldest_task_created_timestamp_seconds{` + odd + `,status="schedule"}`:                                               "9.466818e+08",
			`download_oldest_task_created_timestamp_seconds{` + odd + `,status="running"}`:                                                "9.46679399993e+08",
			`download_oldest_task_created_timestamp_seconds{` + odd + `,status="finish"}`:                                                 "absent",
			`download_max_success_age_seconds{` + odd + `}`:                                                                               "93600",
			`download_listing_complete{` + odd + `}`:                                                                                      "0",
			`download_invalid_tasks{` + odd + `,reason="missing_id"}`:                                                                     "1",
			`download_invalid_tasks{` + odd + `,reason="duplicate_id"}`:                                                                   "2",
			`download_invalid_tasks{` + odd + `,reason="bad_time"}`:                                                                       "2",
			`download_invalid_tasks{` + odd + `,reason="negative_duration"}`:                                                              "1",
			`download_invalid_tasks{` + odd + `,reason="bad_size"}`:                                                                       "1",
			`download_tasks_hidden{` + odd + `,reason="age"}`:                                                                             "220",
			`download_tasks_hidden{` + odd + `,reason="limit"}`:                                                                           "0",
			`download_tasks_finished_total{` + odd + `}`:                                                                                  "0",
			`plan_info{account="acme",database_type="",plan_id="dbsodd",plan_name="orders",region_id="cn-hangzhou",resource_group_id=""}`: "1",

			`download_tasks{` + empty + `,status="finish"}`:          "0",
			`download_listing_complete{` + empty + `}`:               "1",
			`download_last_success_timestamp_seconds{` + empty + `}`: "absent",
			`download_max_success_age_seconds{` + empty + `}`:        "absent",
			`poll_success{` + empty + `}`:                            "1",
			`poll_last_success_timestamp_seconds{` + empty + `}`:     at(epoch),

			`api_requests_total{account="acme",action="DescribeBackupSetDownloadTaskList",region_id="cn-hangzhou"}`: "4",
			`exporter_poll_interval_seconds`: "60",
		}
		f.expect(want)
	})
}
