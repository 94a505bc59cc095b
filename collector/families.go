package collector

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// namespace is the prefix of every metric.
const namespace = "aliyun_dbs"

// Family describes a metric. The documentation is made from it, so the help text is written for its reader.
type Family struct {
	// Section groups families in the documentation.
	Section string
	Name    string
	// Type is gauge, counter or histogram.
	Type   string
	Labels []string
	Help   string

	desc *prometheus.Desc
}

// schema collects families as they are declared, so that none can be exported and not described.
type schema struct{ families []*Family }

func (s *schema) add(section, name, kind, help string, labels ...string) *Family {
	f := &Family{Section: section, Name: namespace + "_" + name, Type: kind, Labels: labels, Help: help}
	f.desc = prometheus.NewDesc(f.Name, help, labels, nil)
	s.families = append(s.families, f)
	return f
}

// metric returns one sample of a gauge or counter. The labels must be valid UTF-8.
func (f *Family) metric(value float64, labels ...string) prometheus.Metric {
	kind := prometheus.GaugeValue
	if f.Type == typeCounter {
		kind = prometheus.CounterValue
	}
	return prometheus.MustNewConstMetric(f.desc, kind, value, labels...)
}

const (
	typeGauge     = "gauge"
	typeCounter   = "counter"
	typeHistogram = "histogram"
)

// Families returns the description of every metric that a [Collector] exports, in the order of the documentation.
func Families() []Family {
	families := make([]Family, len(metrics.families))
	for i, f := range metrics.families {
		families[i] = *f
	}
	return families
}

// Sections of the documentation.
const (
	sectionPolling   = "Polling health, per plan"
	sectionDownloads = "Downloads, per plan"
	sectionTasks     = "Downloads, per task"
	sectionDiscovery = "Discovery, only where a target uses it"
	sectionGateways  = "Backup gateways, only where a target has `gateways.enabled`"
	sectionAPI       = "API and exporter"
)

// Label sets.
var (
	targetLabels = []string{"account", "region_id"}
	planLabels   = append(targetLabels[:2:2], "plan_id")
	taskLabels   = append(planLabels[:3:3], "task_id")
	// Gateways have an ID in place of a host name or an address, which no label has.
	gatewayLabels = append(targetLabels[:2:2], "gateway_id")
)

// appendLabels returns labels and more in a slice of its own.
func appendLabels(labels []string, more ...string) []string {
	return append(slices.Clip(labels), more...)
}

// metrics holds all families; the variables below declare them.
var metrics schema

var (
	metricPlanInfo = metrics.add(sectionPolling, "plan_info", typeGauge,
		"Configured or discovered backup plan, always 1. Labels whose value is not known are empty.",
		appendLabels(planLabels, "plan_name", "database_type", "resource_group_id")...)
	metricPollSuccess = metrics.add(sectionPolling, "poll_success", typeGauge,
		"Whether the last poll of the plan succeeded (1) or failed (0). Absent until the first poll has ended.", planLabels...)
	metricPollLastSuccess = metrics.add(sectionPolling, "poll_last_success_timestamp_seconds", typeGauge,
		"Unix time at which the last successful poll of the plan ended. Absent before the first.", planLabels...)
	metricPollDuration = metrics.add(sectionPolling, "poll_duration_seconds", typeGauge,
		"Time that the API took for the last poll of the plan: all requests and the waits between retries, without the wait for the exporter's own rate limit. Absent until the first poll has ended.", planLabels...)
	metricPollRequests = metrics.add(sectionPolling, "poll_requests", typeGauge,
		"Requests that the last poll of the plan sent, retries included. Absent until the first poll has ended.", planLabels...)
	metricPollLastFullListing = metrics.add(sectionPolling, "poll_last_full_listing_timestamp_seconds", typeGauge,
		"Unix time at which the last poll ended that read every task of the plan. Absent before the first.", planLabels...)
	metricPolls = metrics.add(sectionPolling, "polls_total", typeCounter,
		"Polls of the plan that have ended.", planLabels...)
	metricPollFailures = metrics.add(sectionPolling, "poll_failures_total", typeCounter,
		"Polls of the plan that have failed.", planLabels...)

	metricTasks = metrics.add(sectionDownloads, "download_tasks", typeGauge,
		"Download tasks that the API lists, by status; all nine statuses, zeros included. All are zero only if the API reports that there are none.",
		appendLabels(planLabels, "status")...)
	metricDataBytes = metrics.add(sectionDownloads, "download_data_bytes", typeGauge,
		"Sum of the backup set sizes of the listed download tasks, by status; all nine statuses, zeros included.",
		appendLabels(planLabels, "status")...)
	metricLastSuccess = metrics.add(sectionDownloads, "download_last_success_timestamp_seconds", typeGauge,
		"Unix time at which the last successful download ended. Absent if none is listed.", planLabels...)
	metricLastSuccessDuration = metrics.add(sectionDownloads, "download_last_success_duration_seconds", typeGauge,
		"Time from creation to end of the last successful download. Absent if none is listed or its times are not usable.", planLabels...)
	metricLastSuccessBytes = metrics.add(sectionDownloads, "download_last_success_data_bytes", typeGauge,
		"Backup set size of the last successful download. Absent if none is listed.", planLabels...)
	metricLastFailure = metrics.add(sectionDownloads, "download_last_failure_timestamp_seconds", typeGauge,
		"Unix time of the last download that failed (stop) or failed its precheck (init): when it ended, else when it was created. Absent if none is listed.",
		appendLabels(planLabels, "status")...)
	metricOldestCreated = metrics.add(sectionDownloads, "download_oldest_task_created_timestamp_seconds", typeGauge,
		"Unix time at which the oldest download in a status that is not final was created. Only statuses that have a task.",
		appendLabels(planLabels, "status")...)
	metricMaxSuccessAge = metrics.add(sectionDownloads, "download_max_success_age_seconds", typeGauge,
		"Configured age at which the last successful download is overdue. Only plans that have max_success_age.", planLabels...)
	metricListingComplete = metrics.add(sectionDownloads, "download_listing_complete", typeGauge,
		"Whether the distinct tasks of the listing cover the total that the API reports (1) or not (0). "+
			"It is 0 if the listing ended early; otherwise it is absent if the API reports no total.", planLabels...)
	metricInvalidTasks = metrics.add(sectionDownloads, "download_invalid_tasks", typeGauge,
		"Invalid rows of the listing, by reason; a row can have several. The usable part of such a row counts everywhere else.",
		appendLabels(planLabels, "reason")...)
	metricTasksHidden = metrics.add(sectionDownloads, "download_tasks_hidden", typeGauge,
		"Listed tasks without series of their own, because of their age or of a limit. Only while task_series is enabled.",
		appendLabels(planLabels, "reason")...)
	metricFinished = metrics.add(sectionDownloads, "download_tasks_finished_total", typeCounter,
		"Downloads that finished since this process first listed the plan.", planLabels...)
	metricFailed = metrics.add(sectionDownloads, "download_tasks_failed_total", typeCounter,
		"Downloads that failed (stop) since this process first listed the plan.", planLabels...)
	metricDuration = metrics.add(sectionDownloads, "download_duration_seconds", typeHistogram,
		"Time from creation to end of the downloads that finished since this process first listed their plan, by type of backup (full, incremental, unknown).",
		appendLabels(targetLabels, "backup_type")...)

	metricTaskInfo = metrics.add(sectionTasks, "download_task_info", typeGauge,
		"Immutable facts of a download task, always 1. Labels whose value the task does not have are empty.",
		appendLabels(taskLabels, "task_name", "backup_set_id", "backup_type", "db_type", "data_format", "download_way", "target_type", "gateway_id")...)
	metricTaskStatus = metrics.add(sectionTasks, "download_task_status", typeGauge,
		"Current status of a download task, always 1; one series per task.", appendLabels(taskLabels, "status")...)
	metricTaskCreated = metrics.add(sectionTasks, "download_task_created_timestamp_seconds", typeGauge,
		"Unix time at which the download task was created. Absent if the API gave no usable time.", taskLabels...)
	metricTaskFinished = metrics.add(sectionTasks, "download_task_finished_timestamp_seconds", typeGauge,
		"Unix time at which the download task finished or failed. Absent before, and if the API gave no usable time.", taskLabels...)
	metricTaskDuration = metrics.add(sectionTasks, "download_task_duration_seconds", typeGauge,
		"Time from creation to end of a download task that finished or failed. Absent if either time is not usable, or they are not in order.", taskLabels...)
	metricTaskBytes = metrics.add(sectionTasks, "download_task_data_bytes", typeGauge,
		"Backup set size of the download task.", taskLabels...)

	metricDiscoverySuccess = metrics.add(sectionDiscovery, "discovery_success", typeGauge,
		"Whether the last list of the account's plans succeeded (1) or failed (0). Absent until the first has ended.", targetLabels...)
	metricDiscoveryLastSuccess = metrics.add(sectionDiscovery, "discovery_last_success_timestamp_seconds", typeGauge,
		"Unix time at which the last successful list of the account's plans ended. Absent before the first.", targetLabels...)
	metricDiscoveredPlans = metrics.add(sectionDiscovery, "discovered_plans", typeGauge,
		"Plans that discovery has found, that its filters want, and that belong to this shard. Absent before the first successful list, and once the last one is older than five discovery intervals.", targetLabels...)
	metricPlanStatus = metrics.add(sectionDiscovery, "plan_status", typeGauge,
		"Current status of the plan itself, always 1: wait, init, running, stop, pause, locked, check_pass or unknown. Only plans that discovery has listed.",
		appendLabels(planLabels, "status")...)
	metricAutoDownload = metrics.add(sectionDiscovery, "plan_auto_download_enabled", typeGauge,
		"Whether the plan downloads every new backup set automatically (1) or not (0). Only plans for which discovery has listed it.", planLabels...)

	metricPlanExpiry = metrics.add(sectionDiscovery, "plan_expiry_timestamp_seconds", typeGauge,
		"Unix time at which a prepaid plan expires; without a renewal, it then makes no backups. Only plans for which discovery has listed it.", planLabels...)

	metricGatewayInfo = metrics.add(sectionGateways, "gateway_info", typeGauge,
		"Backup gateway of the account in the region, always 1.", appendLabels(gatewayLabels, "gateway_name")...)
	metricGatewayStatus = metrics.add(sectionGateways, "gateway_status", typeGauge,
		"Current status of the gateway, always 1: online, offline, stopped, upgrading or unknown; one series per gateway.",
		appendLabels(gatewayLabels, "status")...)
	metricGatewayHeartbeat = metrics.add(sectionGateways, "gateway_last_heartbeat_timestamp_seconds", typeGauge,
		"Unix time at which the gateway last reported to DBS, as of the last list. Absent if the API gave no usable time.", gatewayLabels...)
	metricPlanGateway = metrics.add(sectionGateways, "plan_download_gateway_info", typeGauge,
		"Gateway that carries the automatic downloads of the plan, always 1. Only plans for which discovery has listed one.",
		appendLabels(planLabels, "gateway_id")...)
	metricGatewayListSuccess = metrics.add(sectionGateways, "gateway_list_success", typeGauge,
		"Whether the last list of the account's gateways succeeded (1) or failed (0). Absent until the first has ended.", targetLabels...)
	metricGatewayListLastSuccess = metrics.add(sectionGateways, "gateway_list_last_success_timestamp_seconds", typeGauge,
		"Unix time at which the last successful list of the account's gateways ended. Absent before the first.", targetLabels...)

	metricAPIRequests = metrics.add(sectionAPI, "api_requests_total", typeCounter,
		"Requests sent to the API, retries included.", appendLabels(targetLabels, "action")...)
	metricAPIFailures = metrics.add(sectionAPI, "api_request_failures_total", typeCounter,
		"Failed attempts to call the API, by reason; all reasons are present from the start. Attempts that lacked credentials were never sent and count here only.", appendLabels(targetLabels, "action", "reason")...)
	metricAPIDuration = metrics.add(sectionAPI, "api_request_duration_seconds", typeHistogram,
		"Time from sending a request to the end of its response.", "action")
	metricCredentialsExpiry = metrics.add(sectionAPI, "credentials_expiry_timestamp_seconds", typeGauge,
		"Unix time at which the current credentials expire. Absent if they do not expire or the expiry is unknown.", targetLabels...)
	metricClockSkew = metrics.add(sectionAPI, "exporter_clock_skew_seconds", typeGauge,
		"Date header of the API's last response minus the local time, with a resolution of one second. A difference of over 15 minutes counts only in an error response. Absent before the first response.", targetLabels...)
	metricPollInterval = metrics.add(sectionAPI, "exporter_poll_interval_seconds", typeGauge,
		"Longest configured time between two polls of a plan: idle_poll_interval, which is poll_interval unless it is set.")
	metricPollsSkipped = metrics.add(sectionAPI, "polls_skipped_total", typeCounter,
		"Due times of plans that passed without a poll of their own: an earlier poll still ran, the rate limit left no slot, or a late poll covered the next due time too.", targetLabels...)
	metricReloadSuccess = metrics.add(sectionAPI, "exporter_config_last_reload_successful", typeGauge,
		"Whether the last attempt to load the configuration succeeded (1) or failed (0).")
	metricReloadTime = metrics.add(sectionAPI, "exporter_config_last_reload_success_timestamp_seconds", typeGauge,
		"Unix time of the last successful load of the configuration.")
)
