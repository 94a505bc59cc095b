//go:build suites

package rules

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"test/internal/exporter"
)

// Rules, their tests and the example configurations are good for the programs that read them.
func TestTools(t *testing.T) {
	dir := path(t, "deploy/prometheus")
	for _, args := range [][]string{
		{"promtool", "check", "rules", "alerts.yml"},
		{"promtool", "check", "config", "prometheus.yml"},
		{"promtool", "test", "rules", "alerts_test.yml"},
		{"amtool", "check-config", "alertmanager.yml"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), exporter.Tool(t, args[0]), args[1:]...)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// mutations are faults that rule sets were shipped with, and slips that are as easy to make.
var mutations = []struct{ name, alert, old, wrong string }{
	{"inverted, fires while healthy", "DownloadTaskFailed", "< 24 * 3600\n", "> 24 * 3600\n"},
	{"another status", "DownloadTaskFailed", `aliyun_dbs_download_task_status{status="stop"})`, `aliyun_dbs_download_task_status{status="running"})`},
	{"the last failure and the last success swapped", "DownloadPlanFailing", ">\n", "<\n"},
	{"never is forgotten", "DownloadPlanFailing", "unless\n", "and\n"},
	{"a week is a day", "DownloadPlanFailing", "7 * 86400", "86400"},
	{"a label that does not exist", "DownloadPrecheckFailed", `status="init"`, `state="init"`},
	{"a threshold in minutes", "DownloadPausedTooLong", "4 * 3600", "4 * 60"},
	{"no regard for the plan's own durations", "DownloadRunningTooLong", "3 * max", "0 * max"},
	{"half of the statuses", "DownloadQueuedTooLong", "schedule|check_pass", "schedule"},
	{"aggregated over all plans", "DownloadCheckingTooLong", "min by (account, region_id, plan_id)", "min by (account, region_id)"},
	{"no news is good news", "DownloadOverdue", "Inf *", "0 *"},
	{"plans that do not download by themselves", "DownloadAutoSilent", "[10m])) == 1\n", "[10m])) >= 0\n"},
	{"a gateway that is online", "GatewayOffline", `offline|stopped|upgrading`, `online|stopped|upgrading`},
	{"a restart forgets the status", "GatewayOffline", `last_over_time(aliyun_dbs_gateway_status{status=~"offline|stopped|upgrading"}[10m])`, `aliyun_dbs_gateway_status{status="stopped"}`},
	{"a gateway that came back", "GatewayOffline", "unless\n", "or\n"},
	{"heartbeats by the time of the alert", "GatewayOffline", "max by (account, region_id) (last_over_time(aliyun_dbs_gateway_list_last_success_timestamp_seconds[10m]))", "0 * max by (account, region_id) (last_over_time(aliyun_dbs_gateway_list_last_success_timestamp_seconds[10m])) + time()"},
	{"a plan that is downloaded by hand", "GatewayOffline", "[10m])) == 1\n", "[10m])) >= 0\n"},
	{"a threshold in seconds", "GatewayOffline", "> 10 * 60", "> 10"},
	{"a day is left", "PlanExpiring", "7 * 86400", "86400"},
	{"expired is not expiring", "PlanExpiring", "- time() < 7", "- time() > 0 < 7"},
	{"the gateways are forgotten", "ListFailing", "aliyun_dbs_gateway_list_success", "aliyun_dbs_discovery_success"},
	{"a replica that lists does not help", "ListFailing", "max by", "min by"},
	{"a rate of a gauge", "DownloadUnknownStatus", "last_over_time", "rate"},
	{"a restart resets the day", "PlanEmpty", "last_over_time(aliyun_dbs_download_tasks[1h])", "aliyun_dbs_download_tasks"},
	{"inverted", "PollFailing", "== 0", "== 1"},
	{"an interval more", "ListingStale", "5 * last_over_time", "6 * last_over_time"},
	{"a reason is missing", "CredentialsRejected", "credentials|auth|forbidden", "credentials|auth"},
	{"a renewed token is an alert", "CredentialsRejected", "(last_over_time(aliyun_dbs_poll_success[10m])) == 0", "(last_over_time(aliyun_dbs_poll_success[10m])) >= 0"},
	{"any failure is a throttled one", "Throttled", `,reason="throttled"`, ""},
	{"at the threshold instead of over it", "Throttled", "> 0.1", ">= 0.1"},
	{"what is old is hidden, too", "ListingIncomplete", `reason="limit"`, `reason="age"`},
	{"a clock that is ahead", "ClockSkew", "abs(last_over_time(aliyun_dbs_exporter_clock_skew_seconds[10m]))", "last_over_time(aliyun_dbs_exporter_clock_skew_seconds[10m])"},
	{"fires at once", "PollsSkipped", "for: 30m", "for: 1m"},
	{"success and failure mixed up", "ConfigReloadFailed", "== 0", "!= 0"},
	{"no target, no alert", "ExporterDown", "or\n", "unless\n"},
	{"an annotation about a label that is not there", "ExporterDown", "$labels.instance", "$labels.pod"},
}

// The rules' own tests notice when a rule is wrong.
func TestMutations(t *testing.T) {
	text := readFile(t, path(t, "deploy/prometheus/alerts.yml"))
	tests := readFile(t, path(t, "deploy/prometheus/alerts_test.yml"))
	for _, m := range mutations {
		t.Run(m.alert+": "+m.name, func(t *testing.T) {
			t.Parallel()
			before, block, after := cutRule(t, text, m.alert)
			mutant := strings.ReplaceAll(block, m.old, m.wrong)
			if mutant == block {
				t.Fatalf("the rule has no %q:\n%s", m.old, block)
			}
			dir := t.TempDir()
			for name, content := range map[string]string{"alerts.yml": before + mutant + after, "alerts_test.yml": tests} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), exporter.Tool(t, "promtool"), "test", "rules", "--run=^"+m.alert+":", "alerts_test.yml")
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Errorf("no test fails with %q for %q", m.wrong, m.old)
			}
			// A mutant that cannot be loaded proves nothing.
			if !strings.Contains(string(out), "exp:") || !strings.Contains(string(out), "got:") {
				t.Errorf("it fails for another reason:\n%s", out)
			}
		})
	}
}

// cutRule cuts a rule out of the text of the file.
func cutRule(t *testing.T, text, alert string) (before, rule, after string) {
	t.Helper()
	before, rest, found := strings.Cut(text, "- alert: AliyunDBS"+alert+"\n")
	if !found {
		t.Fatalf("there is no alert %s", alert)
	}
	before += "- alert: AliyunDBS" + alert + "\n"
	if i := strings.Index(rest, "- alert:"); i >= 0 {
		rest, after = rest[:i], rest[i:]
	}
	return before, rest, after
}
