package main

import "fmt"

// trends shows how downloads develop.
func trends() []panel {
	const nothing = "no finished task yet"
	duration := perPlan("aliyun_dbs_download_last_success_duration_seconds")
	// The quantile of an empty histogram is NaN, which hides the text for no data. The comparison drops it.
	quantile := func(q string) string {
		return fmt.Sprintf("histogram_quantile(%s, sum by (le) (increase(aliyun_dbs_download_duration_seconds_bucket{%s}[1d]))) >= 0", q, ofTargets)
	}
	finished, failed := "aliyun_dbs_download_tasks_finished_total", "aliyun_dbs_download_tasks_failed_total"
	week := func(counter string) string { return grown(counter, "7d") }

	return []panel{
		lines(spec{
			501, "Duration of the last success",
			"From creation to end of each plan's last finished task, the wait in the queue included.",
			12, 8, "s", nothing,
			[]query{{named(duration), byPlan}},
		}),
		lines(spec{
			502, "Durations of a day",
			"Median and 95th percentile of the downloads that finished in the 24 hours before, over all plans of the chosen accounts and regions.",
			12, 8, "s", nothing,
			[]query{{quantile("0.5"), "p50"}, {quantile("0.95"), "p95"}},
		}),
		heat(spec{
			503, "Durations",
			"Durations of finished downloads, over all plans of the chosen accounts and regions.",
			12, 8, "s", nothing,
			[]query{{fmt.Sprintf("sum by (le) (increase(aliyun_dbs_download_duration_seconds_bucket{%s}[$__rate_interval]))", ofTargets), "{{le}}"}},
		}, 48), // half an hour each in a day: downloads are rare
		lines(spec{
			504, "Bytes by status",
			"Sum of the backup set sizes of the listed tasks, by status.",
			12, 8, "decbytes", "no listing yet",
			[]query{{overPlans("sum by (status)", "aliyun_dbs_download_data_bytes", "", "status"), "{{status}}"}},
		}, stacked, inStatusColors),
		lines(spec{
			505, "Throughput of the last success",
			"Size divided by duration of each plan's last finished task. The duration includes the wait in the queue.",
			12, 8, "Bps", nothing,
			[]query{{named(throughput()), byPlan}},
		}),
		lines(spec{
			506, "Finished and failed per day",
			"Tasks that the exporter saw end in the 24 hours before. Tasks that ended before its first listing are not included.",
			12, 8, "none", nothing,
			[]query{
				{fmt.Sprintf("sum (%s)", grown(finished, "1d")), "finished"},
				{fmt.Sprintf("sum (%s)", grown(failed, "1d")), "failed"},
			},
		}, counting("tasks"), colored("finished", "green"), colored("failed", "red")),
		lines(spec{
			507, "Success ratio over 7 days",
			"Finished tasks among those that the exporter saw end in the 7 days before. Plans without such a task are not included.",
			24, 8, "percentunit", nothing,
			[]query{{named(fmt.Sprintf("%s / (%s + %s > 0)", week(finished), week(finished), week(failed))), byPlan}},
		}, upTo(1)),
	}
}
