package main

import "fmt"

// exporter shows whether the exporter itself works.
func exporter() []panel {
	rate := func(metric string) string { return fmt.Sprintf("rate(%s{%s}[$__rate_interval])", metric, ofTargets) }
	return []panel{
		lines(spec{
			601, "Age of the last successful poll",
			"Time since each plan's last successful poll, and the poll interval to compare it with.",
			8, 8, "s", "no successful poll yet",
			[]query{
				{named("time() - " + perPlan("aliyun_dbs_poll_last_success_timestamp_seconds")), byPlan},
				{fmt.Sprintf("max (aliyun_dbs_exporter_poll_interval_seconds{%s})", ofJobs), "poll interval"},
			},
		}, dashed("poll interval", "orange")),
		lines(spec{
			602, "Duration of the last poll",
			"Time that the API took, pages and retries included, without the wait for the exporter's own rate limit.",
			8, 8, "s", "no poll yet",
			[]query{{named(perPlan("aliyun_dbs_poll_duration_seconds")), byPlan}},
		}),
		lines(spec{
			611, "Skipped polls",
			"Due times of plans that passed without a poll in the 15 minutes before: more plans than the rate allows, or a slow API.",
			8, 8, "none", "no target yet",
			[]query{{fmt.Sprintf("sum by (account, region_id) (increase(aliyun_dbs_polls_skipped_total{%s}[15m]))", ofTargets), "{{account}} {{region_id}}"}},
		}, counting("polls")),
		lines(spec{
			603, "API requests",
			"Requests sent to the API, retries included, by action.",
			8, 8, "reqps", "no request yet",
			[]query{{fmt.Sprintf("sum by (action) (%s)", rate("aliyun_dbs_api_requests_total")), "{{action}}"}},
		}),
		lines(spec{
			604, "API failures",
			"Failed attempts to call the API, by reason. docs/troubleshooting.md says what to do about each.",
			8, 8, "reqps", "no failure",
			[]query{{fmt.Sprintf("sum by (reason) (%s) > 0", rate("aliyun_dbs_api_request_failures_total")), "{{reason}}"}},
		}),
		lines(spec{
			605, "API latency",
			"95th percentile of the time from sending a request to the end of its response, by action.",
			8, 8, "s", "no request yet",
			[]query{{
				fmt.Sprintf("histogram_quantile(0.95, sum by (le, action) (rate(aliyun_dbs_api_request_duration_seconds_bucket{%s}[$__rate_interval]))) >= 0", ofJobs),
				"p95 {{action}}",
			}},
		}),
		lines(spec{
			606, "Hidden tasks and invalid rows",
			"Listed tasks without series of their own, because of their age or a limit, and invalid rows of the listing.",
			12, 8, "none", "no listing yet",
			[]query{
				{overPlans("sum by (reason)", "aliyun_dbs_download_tasks_hidden", "", "reason"), "hidden: {{reason}}"},
				{overPlans("sum by (reason)", "aliyun_dbs_download_invalid_tasks", "", "reason"), "invalid: {{reason}}"},
			},
		}, counting("tasks and rows")),
		lines(spec{
			607, "Clock skew",
			"The API's clock minus that of the exporter. The lines are the threshold of the alert. Beyond 15 minutes either way the API rejects every request.",
			12, 8, "s", "no response yet",
			[]query{{fmt.Sprintf("max by (account, region_id, instance) (aliyun_dbs_exporter_clock_skew_seconds{%s})", ofTargets), "{{account}} {{region_id}} {{instance}}"}},
		}, signed, limits(from(-60, "orange"), from(60, "orange"))),
		lines(spec{
			608, "Samples scraped",
			"Samples of one scrape, by exporter.",
			8, 8, "none", "no scrape yet",
			[]query{{fmt.Sprintf("max by (job, instance) (scrape_samples_scraped{%s})", ofJobs), "{{instance}}"}},
		}, counting("samples")),
		lines(spec{
			609, "Memory",
			"Resident memory of the process, and the part that the Go heap uses.",
			8, 8, "bytes", "no scrape yet",
			[]query{
				{fmt.Sprintf("max by (job, instance) (process_resident_memory_bytes{%s})", ofJobs), "resident {{instance}}"},
				{fmt.Sprintf("max by (job, instance) (go_memstats_heap_inuse_bytes{%s})", ofJobs), "heap {{instance}}"},
			},
		}),
		table(spec{
			610, "Build",
			"The exporters that are scraped, and how long they have run.",
			8, 8, "none", "no exporter is scraped", nil,
		}, []column{
			{label: "instance", name: "Instance", width: 150},
			{label: "version", name: "Version", width: 90},
			{label: "revision", name: "Revision", width: 90},
			{label: "goversion", name: "Go", width: 80},
			{
				expr: fmt.Sprintf("time() - max by (job, instance) (process_start_time_seconds{%s}) * on (job, instance) group_right () max by (job, instance, version, revision, goversion) (aliyun_dbs_exporter_build_info{%s})", ofJobs, ofJobs),
				name: "Uptime", unit: "s", width: 90,
			},
		}, "Instance", false),
	}
}
