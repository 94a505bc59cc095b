package main

import (
	"fmt"
	"strings"
)

// Matchers for the variables: of metrics of a plan, of a target, and of a process.
const (
	ofPlans   = `job=~"$job", account=~"$account", region_id=~"$region_id", plan_id=~"$plan"`
	ofTargets = `job=~"$job", account=~"$account", region_id=~"$region_id"`
	ofJobs    = `job=~"$job"`
)

// The labels that name a plan and a task.
const (
	planLabels = "account, region_id, plan_id"
	taskLabels = planLabels + ", task_id"
	// A gateway belongs to no plan.
	gatewayLabels = "account, region_id, gateway_id"
)

// perPlan is the value of a metric by plan. It takes the maximum, since there may be two of a
// series: when two replicas poll the same plans, and for some minutes after a process has moved to a new address.
func perPlan(metric string) string { return perPlanWhere(metric, "") }

// perPlanWhere is [perPlan] by further labels, of the series that a further matcher lets through.
func perPlanWhere(metric, match string, labels ...string) string {
	by := strings.Join(append([]string{planLabels}, labels...), ", ")
	return fmt.Sprintf("max by (%s) (%s)", by, where(metric, match))
}

func where(metric, match string) string {
	if match != "" {
		match = ", " + match
	}
	return fmt.Sprintf("%s{%s%s}", metric, ofPlans, match)
}

// perTask is the value of a metric by task.
func perTask(metric, match string) string {
	return fmt.Sprintf("max by (%s) (%s)", taskLabels, where(metric, match))
}

// perGateway is the value of a metric by gateway.
func perGateway(metric, match string) string {
	if match != "" {
		match = ", " + match
	}
	return fmt.Sprintf("max by (%s) (%s{%s%s})", gatewayLabels, metric, ofTargets, match)
}

// overPlans is an aggregate over what [perPlan] gives, so that no plan counts twice.
func overPlans(aggregate, metric, match string, labels ...string) string {
	return fmt.Sprintf("%s (%s)", aggregate, perPlanWhere(metric, match, labels...))
}

// grown is by how much a counter of each plan has grown in a while, restarts included.
func grown(metric, window string) string {
	return fmt.Sprintf("max by (%s) (increase(%s[%s]))", planLabels, where(metric, ""), window)
}

// named gives every plan its name. One info of each plan is taken, in case that a name has just changed.
func named(expr string) string {
	return fmt.Sprintf("(%s)\n* on (%s) group_left (plan_name) topk by (%s) (1, aliyun_dbs_plan_info{%s})", expr, planLabels, planLabels, ofPlans)
}

// namedGateway gives every gateway its name, as [named] does for plans.
func namedGateway(expr string) string {
	return fmt.Sprintf("(%s)\n* on (%s) group_left (gateway_name) topk by (%s) (1, aliyun_dbs_gateway_info{%s})", expr, gatewayLabels, gatewayLabels, ofTargets)
}

// code is a value that stands for a word, since Grafana draws and sorts numbers.
type code struct {
	value       int
	status      string // as in the label; empty for states of plans
	word, color string
}

// statuses are those of a task, with the words of the status page; those that need a person come first.
var statuses = []code{
	{1, "stop", "failed", "red"},
	{2, "init", "precheck failed", "dark-orange"},
	{3, "pause", "paused", "yellow"},
	{4, "unknown", "unknown", "purple"},
	{5, "running", "running", "blue"},
	{6, "schedule", "queued", "light-blue"},
	{7, "check_pass", "prechecked", "super-light-blue"},
	{8, "checking", "checking", "text"},
	{9, "finish", "finished", "green"},
}

// states are those of a plan, with the words of the status page, in the order in which they are looked for.
var states = []code{
	{1, "", "poll failing", "red"},
	{2, "", "stale", "red"},
	{3, "", "download failed", "dark-orange"},
	{4, "", "not polled yet", "text"},
	{5, "", "overdue", "yellow"},
	{6, "", "good", "green"},
}

// gatewayStates are those of a backup gateway, with the words of the status page.
var gatewayStates = []code{
	{1, "offline", "offline", "red"},
	{2, "stopped", "stopped", "dark-orange"},
	{3, "unknown", "unknown", "purple"},
	{4, "upgrading", "upgrading", "yellow"},
	{5, "online", "online", "green"},
}

// gatewayState is the code of the present status of every gateway.
func gatewayState() string {
	parts := make([]string, len(gatewayStates))
	for i, s := range gatewayStates {
		parts[i] = fmt.Sprintf("%d * %s", s.value, perGateway("aliyun_dbs_gateway_status", fmt.Sprintf("status=%q", s.status)))
	}
	return strings.Join(parts, "\nor ")
}

// taskStatus is the code of the present status of every task.
func taskStatus() string {
	parts := make([]string, len(statuses))
	for i, s := range statuses {
		parts[i] = fmt.Sprintf("%d * %s", s.value, perTask("aliyun_dbs_download_task_status", fmt.Sprintf("status=%q", s.status)))
	}
	return strings.Join(parts, "\nor ")
}

// planState is the code of the state of every plan: the first that holds.
func planState() string {
	var (
		success = perPlan("aliyun_dbs_download_last_success_timestamp_seconds")
		failure = perPlan("aliyun_dbs_download_last_failure_timestamp_seconds")
		limit   = perPlan("aliyun_dbs_download_max_success_age_seconds")
		polled  = perPlan("aliyun_dbs_poll_success")
		listed  = perPlan("aliyun_dbs_download_tasks")
		plans   = perPlan("aliyun_dbs_plan_info")
	)
	return strings.Join([]string{
		fmt.Sprintf("1 + 0 * (%s == 0)", polled),
		fmt.Sprintf("2 + 0 * (%s unless %s)", polled, listed),
		fmt.Sprintf("3 + 0 * (%s > %s)", failure, success),
		fmt.Sprintf("3 + 0 * (%s unless %s)", failure, success),
		fmt.Sprintf("4 + 0 * (%s unless %s)", plans, polled),
		fmt.Sprintf("5 + 0 * (time() - %s > %s)", success, limit),
		fmt.Sprintf("5 + 0 * (%s unless %s)", limit, success),
		fmt.Sprintf("6 + 0 * %s", plans),
	}, "\nor ")
}

// polls are the outcomes of a poll.
var polls = []code{
	{0, "", "failed", "red"},
	{1, "", "succeeded", "green"},
}

// capital is a word at the beginning of a heading.
func capital(word string) string { return strings.ToUpper(word[:1]) + word[1:] }
