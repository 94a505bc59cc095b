package main

import (
	"fmt"
	"strings"
)

// newestTasks is how many tasks the timeline has bands for; more are not readable.
const newestTasks = 30

// tasks shows every task that has series.
func tasks() []panel {
	facts := []string{"task_name", "backup_set_id", "backup_type", "db_type", "data_format", "download_way", "target_type", "gateway_id"}
	code := fmt.Sprintf("(%s)\n* on (%s) group_left (%s) topk by (%s) (1, %s)",
		taskStatus(), taskLabels, strings.Join(facts, ", "), taskLabels, where("aliyun_dbs_download_task_info", ""))
	created := perTask("aliyun_dbs_download_task_created_timestamp_seconds", "")
	duration := perTask("aliyun_dbs_download_task_duration_seconds", "")
	size := perTask("aliyun_dbs_download_task_data_bytes", "")
	newest := fmt.Sprintf("topk(%d, max by (%s) (%s @ end()))", newestTasks, taskLabels, where("aliyun_dbs_download_task_created_timestamp_seconds", ""))

	return []panel{
		table(spec{
			401, "Tasks",
			"Tasks with series of their own, failed ones first. Tasks that ended too long ago for task_series, or exceed its limits, are not included.",
			24, 10, "none", "no task yet, or task_series is off", nil,
		}, []column{
			{expr: named(code), name: "Status", unit: "none", width: 130, codes: statuses},
			{label: "plan_name", name: "Plan", width: 160},
			{label: "plan_id", name: "Plan ID", width: 150},
			{label: "account", name: "Account", width: 90},
			{label: "region_id", name: "Region", width: 110},
			{label: "task_id", name: "Task ID", width: 140},
			{label: "task_name", name: "Task", width: 190},
			{label: "backup_set_id", name: "Backup set", width: 140},
			{label: "backup_type", name: "Backup", width: 100},
			{label: "db_type", name: "Database", width: 100},
			{label: "data_format", name: "Format", width: 80},
			{label: "download_way", name: "Way", width: 80},
			{label: "target_type", name: "Target", width: 80},
			{label: "gateway_id", name: "Gateway", width: 90},
			{expr: created + " * 1000", name: "Created", unit: "dateTimeAsIso", width: 160},
			{expr: perTask("aliyun_dbs_download_task_finished_timestamp_seconds", "") + " * 1000", name: "Ended", unit: "dateTimeAsIso", width: 160},
			{expr: duration, name: "Duration", unit: "s", width: 90},
			{expr: size, name: "Size", unit: "decbytes", width: 90},
			{expr: size + " / (" + duration + " > 0)", name: "Throughput", unit: "Bps", width: 100},
		}, "Status", false),
		timeline(spec{
			402, "Status of tasks",
			fmt.Sprintf("Status over time of the %d tasks that were created last.", newestTasks),
			24, 12, "none", "no task yet, or task_series is off",
			[]query{{fmt.Sprintf("(%s)\nand on (%s) %s", taskStatus(), taskLabels, newest), "{{plan_id}} {{task_id}}"}},
		}, statuses),
	}
}
