package collector_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// withGateways is a configuration whose target lists its gateways and discovers
// its plans.
func withGateways(keys ...string) simtest.Config {
	return simtest.Config{Targets: []simtest.Target{{
		Discovery: []string{"enabled: true"},
		Gateways:  append([]string{"enabled: true"}, keys...),
	}}}
}

// gateway returns the labels of a gateway, with more of them.
func gateway(id string, more ...string) string {
	labels := append([]string{`account="acme"`, `region_id="cn-hangzhou"`, `gateway_id="` + id + `"`}, more...)
	return "{" + strings.Join(labels, ",") + "}"
}

// gatewaySim has a plan with automatic download, and gateways.
func gatewaySim(gateways ...dbssim.Gateway) *dbssim.Simulator {
	a := account(simPlan("dbsa", "orders", func(p *dbssim.Plan) { p.DownloadGatewayID = 160813 }))
	a.Gateways = gateways
	return dbssim.New(nil, a)
}

func simGateway(id int64, name, status string) dbssim.Gateway {
	return dbssim.Gateway{ID: id, Name: name, Region: "cn-hangzhou", Status: status, Heartbeat: ago(30 * time.Second)}
}

// gatewayList is the outcome of the first target's lists of gateways.
func (f *fixture) gatewayList() *poll.GatewayList { return f.poller.Snapshot().Targets[0].Gateways }

// Every gateway of the region is on the page with its state, and every plan with
// the gateway that carries its downloads. No page and no log line has a host name
// or an address.
func TestGateways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mute := simGateway(7, "mute", "ONLINE")
		mute.Heartbeat = time.Time{}
		elsewhere := simGateway(99, "elsewhere", "ONLINE")
		elsewhere.Region = "cn-shanghai"
		number := simGateway(160813, "idc-1", "ONLINE")
		number.Raw = map[string]any{"BackupGatewayId": 160813}
		sim := gatewaySim(
			number, simGateway(160814, "idc-2", "OFFLINE"), simGateway(160815, "idc-3", "STOPPED"),
			simGateway(160816, "idc-4", "UPGRADING"), simGateway(160817, "idc-5", "DRAINING"), mute, elsewhere,
		)
		sim.SetPlan(simPlan("dbsb", "no gateway"))
		f := newFixture(t, sim, withGateways())
		f.run()
		f.lint()
		f.expect(map[string]string{
			"gateway_list_success" + target:                                                                 "1",
			"gateway_list_last_success_timestamp_seconds" + target:                                          at(f.gatewayList().SucceededAt),
			"gateway_info" + gateway("160813", `gateway_name="idc-1"`):                                      "1",
			"gateway_status" + gateway("160813", `status="online"`):                                         "1",
			"gateway_status" + gateway("160813", `status="offline"`):                                        "absent",
			"gateway_status" + gateway("160814", `status="offline"`):                                        "1",
			"gateway_status" + gateway("160815", `status="stopped"`):                                        "1",
			"gateway_status" + gateway("160816", `status="upgrading"`):                                      "1",
			"gateway_status" + gateway("160817", `status="unknown"`):                                        "1",
			"gateway_last_heartbeat_timestamp_seconds" + gateway("160813"):                                  at(ago(30 * time.Second)),
			"gateway_info" + gateway("7", `gateway_name="mute"`):                                            "1",
			"gateway_last_heartbeat_timestamp_seconds" + gateway("7"):                                       "absent",
			"gateway_info" + gateway("99", `gateway_name="elsewhere"`):                                      "absent",
			"plan_download_gateway_info" + planWith("dbsa", `gateway_id="160813"`):                          "1",
			"plan_download_gateway_info" + planWith("dbsb", `gateway_id=""`):                                "absent",
			`api_requests_total{account="acme",region_id="cn-hangzhou",action="DescribeBackupGatewayList"}`: "1",
		})
		for name := range f.samples() {
			if strings.HasPrefix(name, "plan_download_gateway_info") && strings.Contains(name, `"dbsb"`) {
				t.Errorf("there is %s", name)
			}
		}
		for _, mark := range []string{dbssim.HostName, dbssim.HostAddress, dbssim.FreeText, dbssim.SecretDirectory} {
			if strings.Contains(f.page()+f.log.String(), mark) {
				t.Errorf("%s is shown", mark)
			}
		}
		want := `level=warn account=acme region_id=cn-hangzhou msg="Undocumented gateway status, such gateways count as unknown" gateway_id=160817 status=DRAINING` + "\n"
		f.pass(10 * time.Minute)
		if got := strings.Join(f.log.lines("Undocumented"), ""); got != want {
			t.Errorf("logged %q, want %q once", got, want)
		}

		// A gateway that two lists in a row lack takes its series with it.
		gone := number
		gone.Region = "cn-beijing"
		sim.SetGateway(gone)
		f.pass(2 * time.Minute)
		f.expect(map[string]string{
			"gateway_info" + gateway("160813", `gateway_name="idc-1"`):             "absent",
			"gateway_status" + gateway("160813", `status="online"`):                "absent",
			"gateway_last_heartbeat_timestamp_seconds" + gateway("160813"):         "absent",
			"plan_download_gateway_info" + planWith("dbsa", `gateway_id="160813"`): "1",
		})
	})
}

// A list of gateways that fails touches no poll and no list of plans. The last
// successful one is shown for five of its intervals.
func TestGatewayListFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, gatewaySim(simGateway(160813, "idc-1", "OFFLINE")), withGateways())
		f.run()
		succeeded := f.gatewayList().SucceededAt
		f.sim.SetFault(dbsapi.ActionBackupGateways, dbssim.Failing(403, "Forbidden.RAM"))
		f.pass(5*time.Minute - time.Since(succeeded))
		known := map[string]string{
			"gateway_list_success" + target:                          "0",
			"gateway_list_last_success_timestamp_seconds" + target:   at(succeeded),
			"gateway_status" + gateway("160813", `status="offline"`): "1",
			`api_request_failures_total{account="acme",region_id="cn-hangzhou",action="DescribeBackupGatewayList",reason="forbidden"}`: "5",
		}
		f.expect(known)
		f.pass(moment)
		known["gateway_status"+gateway("160813", `status="offline"`)] = "absent"
		known["gateway_info"+gateway("160813", `gateway_name="idc-1"`)] = "absent"
		known["gateway_last_heartbeat_timestamp_seconds"+gateway("160813")] = "absent"
		known["poll_success"+plan("dbsa")] = "1"
		known["poll_failures_total"+plan("dbsa")] = "0"
		known["polls_skipped_total"+target] = "0"
		known["discovery_success"+target] = "1"
		f.expect(known)

		lines := f.log.lines("List of backup gateways failed, the last successful one ages")
		const advice = `advice="Grant the RAM action dbs:DescribeBackupGatewayList on resource * to the identity in use."`
		if len(lines) != 5 || !strings.Contains(lines[0], "reason=forbidden") || !strings.Contains(lines[0], advice) {
			t.Errorf("logged %q", lines)
		}
		if got := f.gatewayList().Failure.Permission; got != "dbs:DescribeBackupGatewayList" {
			t.Errorf("the missing permission is %q", got)
		}
		f.sim.ClearFault(dbsapi.ActionBackupGateways)
		f.pass(time.Minute)
		f.expect(map[string]string{
			"gateway_list_success" + target:                          "1",
			"gateway_status" + gateway("160813", `status="offline"`): "1",
		})
	})
}

// A list that stops short adds what it has, and takes nothing away.
func TestGatewayListIsIncomplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, gatewaySim(simGateway(160813, "idc-1", "ONLINE"), simGateway(160814, "idc-2", "ONLINE")), withGateways())
		f.run()
		f.sim.SetGateway(simGateway(160813, "idc-1", "OFFLINE"))
		f.sim.SetFault(dbsapi.ActionBackupGateways, dbssim.Fault{Envelope: func(e map[string]any) {
			rows := e["Items"].(map[string]any)["BackupGateway"].([]map[string]any)
			e["Items"] = rows[:min(1, len(rows))]
		}})
		f.pass(time.Minute)
		f.expect(map[string]string{
			"gateway_list_success" + target:                          "0",
			"gateway_status" + gateway("160813", `status="offline"`): "1",
			"gateway_status" + gateway("160814", `status="online"`):  "1",
		})
		if got, want := f.gatewayList().Failure.Text, "gateway list is incomplete: it has 1 of 2 gateways"; got != want {
			t.Errorf("failure is %q, want %q", got, want)
		}
	})
}

// A gateway whose ID cannot be a label is counted in the log once, and the others
// are shown.
func TestUnusableGatewayIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		odd := simGateway(1, "odd", "ONLINE")
		odd.Raw = map[string]any{"BackupGatewayId": "https://evil.example/\n"}
		f := newFixture(t, gatewaySim(odd, simGateway(160813, "idc-1", "ONLINE")), withGateways())
		f.run()
		f.pass(10 * time.Minute)
		f.expect(map[string]string{
			"gateway_list_success" + target:                         "1",
			"gateway_status" + gateway("160813", `status="online"`): "1",
		})
		want := `level=warn account=acme region_id=cn-hangzhou msg="Backup gateways whose ID is not usable are not shown" gateways=1` + "\n"
		if got := strings.Join(f.log.lines("not usable"), ""); got != want {
			t.Errorf("logged %q, want %q", got, want)
		}
		if strings.Contains(f.page()+f.log.String(), "evil") {
			t.Error("the ID is shown")
		}
	})
}

// Gateways are listed only where that is on, at once when it is turned on, and
// their series go when it is turned off. Another identity begins with
// nothing.
func TestGatewaysOnAndOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := dbssim.Account{AccessKeyID: "other", AccessKeySecret: "other-secret", SecurityToken: "other-token"}
		a := account(simPlan("dbsa", "orders", func(p *dbssim.Plan) { p.DownloadGatewayID = 160813 }))
		a.Gateways = []dbssim.Gateway{simGateway(160813, "idc-1", "ONLINE")}
		f := newFixture(t, dbssim.New(nil, a, other), discovering(nil))
		f.run()
		for name := range f.samples() {
			if strings.Contains(name, "gateway") {
				t.Errorf("there is %s while gateways are not listed", name)
			}
		}
		f.apply(withGateways())
		f.pass(moment)
		known := map[string]string{
			"gateway_status" + gateway("160813", `status="online"`):                                         "1",
			"plan_download_gateway_info" + planWith("dbsa", `gateway_id="160813"`):                          "1",
			`api_requests_total{account="acme",region_id="cn-hangzhou",action="DescribeBackupGatewayList"}`: "1",
		}
		f.expect(known)
		f.apply(withGateways("interval: 2m"))
		f.pass(moment)
		f.expect(known)

		c := withGateways()
		c.Targets[0].KeyID, c.Targets[0].KeySecret, c.Targets[0].KeyToken = other.AccessKeyID, other.AccessKeySecret, other.SecurityToken
		f.apply(c)
		f.pass(moment)
		f.expect(map[string]string{
			"gateway_list_success" + target:                         "1",
			"gateway_status" + gateway("160813", `status="online"`): "absent",
		})
		f.apply(discovering(nil))
		f.pass(moment)
		for name := range f.samples() {
			if strings.Contains(name, "gateway") || strings.HasPrefix(name, "api_request") && strings.Contains(name, `region_id="cn-hangzhou"`) && strings.Contains(name, "BackupGatewayList") {
				t.Errorf("there is %s after gateways were turned off", name)
			}
		}
	})
}
