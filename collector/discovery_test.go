package collector_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// discovering is a configuration whose target discovers plans every 10 minutes, with more keys for the block, and plans
// that are configured besides.
func discovering(keys string, plans ...string) string {
	block := "    discovery:\n      enabled: true\n" + keys
	return strings.Replace(configText("", plans...), "    plans:\n", block+strings.Repeat("    plans:\n", min(len(plans), 1)), 1)
}

const target = `{account="acme",region_id="cn-hangzhou"}`

// moment is enough for a few requests at 1000 a second.
const moment = 100 * time.Millisecond

func simPlan(id, name string, change ...func(*dbssim.Plan)) dbssim.Plan {
	p := dbssim.Plan{ID: id, Name: name, Region: "cn-hangzhou", DatabaseType: "MySQL", AutoDownload: true}
	for _, f := range change {
		f(&p)
	}
	return p
}

// The filters choose, what is configured overrides, and facts become metrics.
func TestDiscovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(
			simPlan("dbsa", "prod-orders"),
			simPlan("dbsb", "prod-scratch", func(p *dbssim.Plan) { p.AutoDownload = false }),
			simPlan("dbsc", "test-orders"),
			simPlan("dbsd", "prod-paused", func(p *dbssim.Plan) { p.Status = "pause" }),
			simPlan("dbse", "prod-elsewhere", func(p *dbssim.Plan) { p.Region = "cn-shanghai" }),
			simPlan("dbsf", "prod-new", func(p *dbssim.Plan) { p.Status = "hibernating" }),
		))
		b := newBench(t, sim, discovering("      include: prod-.*\n      exclude: .*scratch\n",
			"dbsa, name: orders, max_success_age: 26h", "dbsd", "dbsx"))
		defer b.run()()
		b.pass(moment)
		b.lint()
		b.expect(map[string]string{
			"discovery_success" + target: "1",
			"discovered_plans" + target:  "1",
			"plan_info" + planWith("dbsa", `plan_name="orders",database_type="MySQL"`):                   "1",
			"plan_info" + planWith("dbsd", `plan_name="prod-paused",database_type="MySQL"`):              "1",
			"plan_info" + planWith("dbsx", `plan_name="",database_type=""`):                              "1",
			"plan_status" + planWith("dbsa", `status="running"`):                                         "1",
			"plan_status" + planWith("dbsd", `status="pause"`):                                           "1",
			"plan_status" + planWith("dbsx", `status="unknown"`):                                         "absent",
			"plan_auto_download_enabled" + plan("dbsa"):                                                  "1",
			"plan_auto_download_enabled" + plan("dbsx"):                                                  "absent",
			"download_max_success_age_seconds" + plan("dbsa"):                                            "93600",
			"polls_total" + plan("dbsa"):                                                                 "1",
			"polls_total" + plan("dbsd"):                                                                 "1",
			"polls_total" + plan("dbsb"):                                                                 "absent",
			"polls_total" + plan("dbsc"):                                                                 "absent",
			"polls_total" + plan("dbse"):                                                                 "absent",
			"polls_total" + plan("dbsf"):                                                                 "absent",
			`api_requests_total{account="acme",region_id="cn-hangzhou",action="DescribeBackupPlanList"}`: "1",
		})

		// Every status is a wish that can be had, also the ones nobody documented.
		b.apply(discovering("      statuses: [running, unknown]\n"))
		b.pass(moment)
		b.expect(map[string]string{
			"discovered_plans" + target:                          "4",
			"polls_total" + plan("dbsa"):                         "1",
			"polls_total" + plan("dbsb"):                         "1",
			"plan_auto_download_enabled" + plan("dbsb"):          "0",
			"plan_status" + planWith("dbsf", `status="unknown"`): "1",
			"download_max_success_age_seconds" + plan("dbsa"):    "absent",
			"polls_total" + plan("dbsd"):                         "absent",
			"polls_total" + plan("dbsx"):                         "absent",
			`api_requests_total{account="acme",region_id="cn-hangzhou",action="DescribeBackupPlanList"}`: "1",
		})

		b.apply(configText("", "dbsa"))
		b.pass(moment)
		b.expect(map[string]string{
			"discovery_success" + target:                         "absent",
			"discovered_plans" + target:                          "absent",
			"plan_status" + planWith("dbsa", `status="running"`): "absent",
			"polls_total" + plan("dbsa"):                         "1",
			"polls_total" + plan("dbsb"):                         "absent",
		})
		b.apply(discovering(""))
		b.pass(moment)
		b.expect(map[string]string{
			"discovered_plans" + target:  "3",
			"polls_total" + plan("dbsa"): "1",
			"polls_total" + plan("dbsb"): "1",
			`api_requests_total{account="acme",region_id="cn-hangzhou",action="DescribeBackupPlanList"}`: "2",
		})
	})
}

// Plans come with the next list, are polled at once, and go with all their series.
func TestDiscoveredPlansComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(simPlan("dbsa", "a"), simPlan("dbsb", "b")))
		b := newBench(t, sim, discovering(""))
		defer b.run()()
		b.expect(map[string]string{"discovery_last_success_timestamp_seconds" + target: "9.466848e+08"})
		b.pass(9 * time.Minute)
		sim.RemovePlan("dbsa")
		sim.SetPlan(simPlan("dbsc", "c"))
		b.pass(59 * time.Second)
		if got := b.planIDs(); got != "dbsa dbsb" {
			t.Errorf("before the next list the plans are %s", got)
		}
		b.pass(2 * time.Second)
		if got := b.planIDs(); got != "dbsb dbsc" {
			t.Errorf("after it they are %s", got)
		}
		b.expect(map[string]string{
			"polls_total" + plan("dbsb"): "11",
			"polls_total" + plan("dbsc"): "1",
		})
		lines := b.log.lines("Plans changed")
		want := []string{
			`level=info account=acme region_id=cn-hangzhou msg="Plans changed" plans=2 added=2 added_ids=dbsa,dbsb removed=0 removed_ids=` + "\n",
			`level=info account=acme region_id=cn-hangzhou msg="Plans changed" plans=2 added=1 added_ids=dbsc removed=1 removed_ids=dbsa` + "\n",
		}
		if strings.Join(lines, "") != strings.Join(want, "") {
			t.Errorf("logged %q", lines)
		}
	})
}

// A list that fails, stops short, or is empty without saying so takes no plan away, and says what happened.
func TestDiscoveryFailures(t *testing.T) {
	const cut = "the list of plans is not complete, plans that it lacks are polled on"
	tests := []struct {
		name  string
		fault dbssim.Fault
		err   string
		plans string
	}{
		{"forbidden", dbssim.Failing(403, "Forbidden.RAM"), "DescribeBackupPlanList: forbidden (HTTP 403, code Forbidden.RAM", "dbsa dbsb"},
		{"no answer", dbssim.Fault{Drop: true}, "DescribeBackupPlanList: network", "dbsa dbsb"},
		{"empty, total not said", dbssim.Fault{Envelope: func(e map[string]any) {
			e["Items"] = nil
			delete(e, "TotalElements")
		}}, "the list of plans is empty, and the API does not say that there are none", "dbsa dbsb"},
		{
			"empty, total says otherwise",
			dbssim.Fault{Envelope: func(e map[string]any) { e["Items"] = nil }},
			"DescribeBackupPlanList: decode: the first page is empty though the list has 2 elements", "dbsa dbsb",
		},
		{"one page too few", dbssim.Fault{Envelope: func(e map[string]any) { e["TotalElements"] = 3 }}, "2 of 3 plans: " + cut, "dbsa dbsb dbsc"},
		{"empty, and the API says so", dbssim.Fault{Envelope: func(e map[string]any) {
			e["Items"], e["TotalElements"] = nil, 0
		}}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := dbssim.New(nil, account(simPlan("dbsa", "a"), simPlan("dbsb", "b")))
				b := newBench(t, sim, discovering(""))
				defer b.run()()
				b.pass(5 * time.Minute)
				sim.RemovePlan("dbsa")
				sim.SetPlan(simPlan("dbsc", "c"))
				sim.SetFault(dbsapi.ActionBackupPlans, tt.fault)
				b.pass(5*time.Minute + 20*time.Second) // retries within the list included

				if got := b.planIDs(); got != tt.plans {
					t.Errorf("plans are %q, want %q", got, tt.plans)
				}
				success, lines := "1", b.log.lines("Discovery failed")
				if tt.err != "" {
					success = "0"
					if len(lines) != 1 || !strings.Contains(lines[0], tt.err) || !strings.Contains(lines[0], `msg="Discovery failed, the plans known before are polled on"`) {
						t.Errorf("logged %q", lines)
					}
				} else if len(lines) != 0 {
					t.Errorf("logged %q", lines)
				}
				b.expect(map[string]string{"discovery_success" + target: success})

				// The next attempt is that of the next round, not that of the next interval.
				sim.ClearFault(dbsapi.ActionBackupPlans)
				if tt.err != "" {
					b.pass(time.Minute)
					b.expect(map[string]string{"discovery_success" + target: "1"})
					if got := b.planIDs(); got != "dbsb dbsc" {
						t.Errorf("afterwards the plans are %s", got)
					}
				}
			})
		})
	}
}

// A start without a list of plans has no discovered plans, polls those that are configured, and gets there by itself.
func TestDiscoveryFailsAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(simPlan("dbsa", "a"), simPlan("dbsb", "b")))
		sim.SetFault(dbsapi.ActionBackupPlans, dbssim.Failing(403, "Forbidden.RAM"))
		b := newBench(t, sim, discovering("", "dbsa"))
		if err := b.collector.Discover(t.Context()); err == nil || err.Error() != "discover plans: 1 of 1 lists failed" {
			t.Errorf("error is %v", err)
		}
		defer b.run()()
		b.pass(moment)
		b.expect(map[string]string{
			"discovery_success" + target:                                    "0",
			"discovery_last_success_timestamp_seconds" + target:             "absent",
			"discovered_plans" + target:                                     "absent",
			"polls_total" + plan("dbsa"):                                    "1",
			"plan_info" + planWith("dbsa", `plan_name="",database_type=""`): "1",
		})
		if err := b.collector.Ready(); err != nil {
			t.Error(err)
		}
		sim.ClearFault(dbsapi.ActionBackupPlans)
		b.pass(time.Minute)
		b.expect(map[string]string{
			"discovery_success" + target: "1",
			"discovered_plans" + target:  "2",
			"polls_total" + plan("dbsb"): "1",
		})
	})
}

// A target is ready when discovery has ended and what it found has been polled.
func TestReadyWithDiscovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(simPlan("dbsa", "a")))
		sim.SetFault(dbsapi.ActionBackupPlans, dbssim.Fault{Delay: 2 * time.Second})
		sim.SetFault("dbsa", dbssim.Fault{Delay: 3 * time.Second})
		b := newBench(t, sim, discovering(""))
		defer b.run()()
		for _, at := range []time.Duration{time.Second, 3 * time.Second} {
			b.pass(at)
			if b.collector.Ready() == nil {
				t.Errorf("ready %v later", at)
			}
		}
		b.pass(2 * time.Second)
		if err := b.collector.Ready(); err != nil {
			t.Error(err)
		}
	})
}

// A reload that asks another account, or in another way, lists the plans at once.
func TestReloadAsksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(simPlan("dbsa", "a")), dbssim.Account{
			AccessKeyID: "other", AccessKeySecret: "other-secret", SecurityToken: "other-token", Plans: []dbssim.Plan{simPlan("dbsb", "b")},
		})
		b := newBench(t, sim, discovering(""))
		defer b.run()()
		other := strings.NewReplacer(keyMark, "other", secretMark, "other-secret", tokenMark, "other-token").Replace(discovering(""))
		b.apply(other)
		b.pass(moment)
		if got := b.planIDs(); got != "dbsb" {
			t.Errorf("plans are %s", got)
		}
	})
}
