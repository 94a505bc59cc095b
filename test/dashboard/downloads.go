package main

import "fmt"

// health shows at a glance whether somebody has to act.
func health() []panel {
	const noListing = "no listing yet"
	count := func(id int, title, description, expr string, colors thresholds) panel {
		return stat(spec{id, title, description, 3, 4, "none", noListing, []query{{expr, title}}}, colors)
	}
	listed := func(match string) string { return overPlans("sum", "aliyun_dbs_download_tasks", match, "status") }

	polled := stat(spec{
		101, "Plans",
		"Plans that the exporter polls, and those whose last poll failed. The data of a failing plan is old.",
		3, 4, "none", "no plan",
		[]query{
			{overPlans("count", "aliyun_dbs_plan_info", ""), "polled"},
			{fmt.Sprintf("%s - %s", overPlans("count", "aliyun_dbs_poll_success", ""), overPlans("sum", "aliyun_dbs_poll_success", "")), "failing"},
		},
	}, steps("text"))
	polled.FieldConfig.Overrides = []override{{matcher{"byName", "failing"}, []property{{"thresholds", alarm("red")}}}}

	return []panel{
		polled,
		count(102, "Failed in 24 h", "Tasks that failed in the last 24 hours. A plan whose failed tasks have no series of their own counts once.", failedInDay(), alarm("red")),
		count(103, "Precheck failed", "Tasks whose precheck failed; they do not start.", listed(`status="init"`), alarm("orange")),
		count(104, "Running", "Downloads that run now.", listed(`status="running"`), alarm("blue")),
		count(105, "Paused", "Paused downloads. They do not resume by themselves.", listed(`status="pause"`), alarm("yellow")),
		count(106, "Queued", "Downloads that wait for their turn, or to be queued after their precheck.", listed(`status=~"schedule|check_pass"`), alarm("light-blue")),
		stat(spec{
			107, "Oldest data",
			"Time since the last successful poll, of the plan for which it is longest. Plans without a successful poll are not included; they count as failing. The colours do not depend on the poll interval; the alert does.",
			3, 4, "s", "no successful poll yet",
			[]query{{"time() - " + overPlans("min", "aliyun_dbs_poll_last_success_timestamp_seconds", ""), "age"}},
		}, steps("text", from(1800, "yellow"), from(7200, "red"))),
		stat(spec{
			108, "Firing alerts",
			"Firing alerts of the exporter's rules in this Prometheus. The variables above do not filter them. Zero if the rules are not loaded.",
			3, 4, "none", "0",
			[]query{{`count(ALERTS{alertname=~"AliyunDBS.+", alertstate="firing"}) or vector(0)`, "firing"}},
		}, alarm("red")),
	}
}

// failedInDay counts failed tasks by when they ended, or were created where they have no end, and a plan as one whose
// failed tasks have no series. It says 0 only where there is a listing.
func failedInDay() string {
	return fmt.Sprintf(`sum (
  count by (%s) ((%s or %s) > time() - 86400 and %s)
  or 1 + 0 * (%s > time() - 86400)
)
or 0 * %s`,
		planLabels,
		perTask("aliyun_dbs_download_task_finished_timestamp_seconds", ""),
		perTask("aliyun_dbs_download_task_created_timestamp_seconds", ""),
		perTask("aliyun_dbs_download_task_status", `status="stop"`),
		perPlanWhere("aliyun_dbs_download_last_failure_timestamp_seconds", `status="stop"`),
		overPlans("sum", "aliyun_dbs_download_tasks", `status="stop"`),
	)
}

// throughput is that of each plan's last success.
func throughput() string {
	return fmt.Sprintf("%s / (%s > 0)", perPlan("aliyun_dbs_download_last_success_data_bytes"), perPlan("aliyun_dbs_download_last_success_duration_seconds"))
}

// onlyThisPlan shows the dashboard for the plan of a row.
const onlyThisPlan = "/d/" + uid + "?${datasource:queryparam}&var-plan=${__data.fields[\"Plan ID\"]}&${__url_time_range}"

// plans shows every plan.
func plans() []panel {
	success := perPlan("aliyun_dbs_download_last_success_timestamp_seconds")
	duration := perPlan("aliyun_dbs_download_last_success_duration_seconds")
	size := perPlan("aliyun_dbs_download_last_success_data_bytes")
	listing := []column{
		{label: "plan_name", name: "Plan", width: 180, link: onlyThisPlan},
		{label: "plan_id", name: "Plan ID", width: 150},
		{label: "account", name: "Account", width: 100},
		{label: "region_id", name: "Region", width: 110},
		{expr: named(planState()), name: "State", unit: "none", width: 130, codes: states},
		{expr: perPlan("aliyun_dbs_poll_success"), name: "Last poll", unit: "none", width: 100, codes: polls, empty: "none yet"},
		{expr: success + " * 1000", name: "Last success", unit: "dateTimeAsIso", width: 160, empty: "no finished task yet"},
		{expr: "time() - " + success, name: "Age", unit: "s", width: 90},
		{expr: duration, name: "Duration", unit: "s", width: 90},
		{expr: size, name: "Size", unit: "decbytes", width: 90},
		{expr: throughput(), name: "Throughput", unit: "Bps", width: 100},
	}
	for _, s := range statuses {
		count := perPlanWhere("aliyun_dbs_download_tasks", fmt.Sprintf("status=%q", s.status))
		colors := alarm(s.color)
		listing = append(listing, column{expr: count, name: capital(s.word), unit: "none", width: 85, colors: &colors})
	}
	gatewayNow := namedGateway(gatewayState())
	return []panel{
		table(spec{
			201, "Plans",
			"Every plan with its state, its last success, and the number of its tasks by status. A dash means that there is no value yet.",
			24, 9, "none", "no plan is configured or discovered", nil,
		}, listing, "State", false),
		timeline(spec{
			202, "State of plans",
			"The first that applies: poll failing, stale (the last listing is older than stale_after), download failed (no success since the last failure), not polled yet, overdue (the last success is older than max_success_age), good.",
			12, 8, "none", "no plan is configured or discovered",
			[]query{{named(planState()), byPlan}},
		}, states),
		lines(spec{
			203, "Tasks by status",
			"Tasks that the API lists, by status.",
			12, 8, "none", "no listing yet",
			[]query{{overPlans("sum by (status)", "aliyun_dbs_download_tasks", "", "status"), "{{status}}"}},
		}, stacked, counting("tasks"), inStatusColors),
		timeline(spec{
			204, "State of gateways",
			"Backup gateways of the accounts. Automatic downloads wait while their gateway is not online. Empty unless gateways is enabled in the exporter's configuration.",
			12, 8, "none", "no gateway is listed",
			[]query{{gatewayNow, "{{gateway_name}} {{gateway_id}}"}},
		}, gatewayStates),
		table(spec{
			205, "Gateways",
			"Every backup gateway with the age of its last heartbeat, and the plans with automatic download that it carries.",
			12, 8, "none", "no gateway is listed", nil,
		}, []column{
			{label: "gateway_name", name: "Gateway", width: 150},
			{label: "gateway_id", name: "Gateway ID", width: 110},
			{label: "account", name: "Account", width: 100},
			{label: "region_id", name: "Region", width: 110},
			{expr: gatewayNow, name: "State", unit: "none", width: 100, codes: gatewayStates},
			{expr: "time() - " + perGateway("aliyun_dbs_gateway_last_heartbeat_timestamp_seconds", ""), name: "Heartbeat age", unit: "s", width: 120},
			{expr: carried(), name: "Plans", unit: "none", width: 70, empty: "0"},
		}, "State", false),
	}
}

// carried is how many plans with automatic download a gateway carries.
func carried() string {
	return fmt.Sprintf("count by (%s) (%s and on (%s) %s == 1)", gatewayLabels,
		perPlanWhere("aliyun_dbs_plan_download_gateway_info", "", "gateway_id"), planLabels, perPlan("aliyun_dbs_plan_auto_download_enabled"))
}

// waiting shows tasks that make no progress.
func waiting() []panel {
	oldest := "aliyun_dbs_download_oldest_task_created_timestamp_seconds"
	age := func(id int, title, status, empty string, limit float64, words string) panel {
		return lines(spec{
			id, title, "Age of each plan's oldest such task since its creation. The line is the alert's threshold of " + words + ".", 6, 8, "s", empty,
			[]query{{named("time() - min by (" + planLabels + ") (" + where(oldest, status) + ")"), byPlan}},
		}, limits(from(limit, "orange")))
	}
	created := perTask("aliyun_dbs_download_task_created_timestamp_seconds", "")
	code := named(fmt.Sprintf("%s\nunless on (%s) %s", "("+taskStatus()+")", taskLabels, perTask("aliyun_dbs_download_task_status", `status=~"finish|stop"`)))
	return []panel{
		age(301, "Oldest in precheck", `status="checking"`, "nothing in precheck", 30*60, "30 minutes"),
		age(302, "Oldest queued", `status=~"schedule|check_pass"`, "nothing queued", 2*3600, "2 hours"),
		age(303, "Oldest paused", `status="pause"`, "nothing paused", 4*3600, "4 hours"),
		age(304, "Oldest running", `status="running"`, "nothing running", 12*3600, "12 hours"),
		table(spec{
			305, "Unfinished tasks",
			"Tasks that have not ended, the oldest first. Those whose precheck failed stay here until the API forgets them.",
			24, 8, "none", "no unfinished task", nil,
		}, []column{
			{label: "plan_name", name: "Plan", width: 180},
			{label: "plan_id", name: "Plan ID", width: 150},
			{label: "account", name: "Account", width: 100},
			{label: "region_id", name: "Region", width: 110},
			{label: "task_id", name: "Task ID", width: 150},
			{expr: code, name: "Status", unit: "none", width: 130, codes: statuses},
			{expr: unfinished("time() - " + created), name: "Age", unit: "s", width: 110},
			{expr: unfinished(created + " * 1000"), name: "Created", unit: "dateTimeAsIso", width: 170},
			{expr: unfinished(perTask("aliyun_dbs_download_task_data_bytes", "")), name: "Size", unit: "decbytes", width: 100},
		}, "Age", true),
	}
}

// unfinished keeps the tasks whose status is not final.
func unfinished(expr string) string {
	return fmt.Sprintf("%s\nand on (%s) %s", expr, taskLabels, perTask("aliyun_dbs_download_task_status", `status!~"finish|stop"`))
}
