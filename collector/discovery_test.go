package collector_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// discovering is a configuration whose target discovers plans every ten minutes,
// with more keys for the block, and plans that are configured.
func discovering(keys []string, plans ...string) simtest.Config {
	return simtest.Config{Targets: []simtest.Target{{
		Plans:     plans,
		Discovery: append([]string{"enabled: true"}, keys...),
	}}}
}

const target = `{account="acme",region_id="cn-hangzhou"}`

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
		f := newFixture(t, sim, discovering([]string{"include: prod-.*", "exclude: .*scratch"},
			"dbsa, name: orders, max_success_age: 26h", "dbsd", "dbsx"))
		f.run()
		f.pass(moment)
		f.lint()
		f.expect(map[string]string{
			"discovery_success" + target: "1",
			"discovered_plans" + target:  "1",
			"plan_info" + planWith("dbsa", `plan_name="orders",database_type="MySQL",resource_group_id=""`):      "1",
			"plan_info" + planWith("dbsd", `plan_name="prod-paused",database_type="MySQL",resource_group_id=""`): "1",
			"plan_info" + planWith("dbsx", `plan_name="",database_type="",resource_group_id=""`):                 "1",
			"plan_status" + planWith("dbsa", `status="running"`):                                                 "1",
			"plan_status" + planWith("dbsd", `status="pause"`):                                                   "1",
			"plan_status" + planWith("dbsx", `status="unknown"`):                                                 "absent",
			"plan_auto_download_enabled" + plan("dbsa"):                                                          "1",
			"plan_auto_download_enabled" + plan("dbsx"):                                                          "absent",
			"download_max_success_age_seconds" + plan("dbsa"):                                                    "93600",
			"polls_total" + plan("dbsa"):                                                                         "1",
			"polls_total" + plan("dbsd"):                                                                         "1",
			"polls_total" + plan("dbsb"):                                                                         "absent",
			"polls_total" + plan("dbsc"):                                                                         "absent",
			"polls_total" + plan("dbse"):                                                                         "absent",
			"polls_total" + plan("dbsf"):                                                                         "absent",
			`api_requests_total{account="acme",region_id="cn-hangzhou",action="DescribeBackupPlanList"}`:         "1",
		})

		// Every status is a wish that can be had, also the ones nobody documented.
		f.apply(discovering([]string{"statuses: [running, unknown]"}))
		f.pass(moment)
		f.expect(map[string]string{
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

		f.apply(simtest.Plans("", "dbsa"))
		f.pass(moment)
		f.expect(map[string]string{
			"discovery_success" + target:                         "absent",
			"discovered_plans" + target:                          "absent",
			"plan_status" + planWith("dbsa", `status="running"`): "absent",
			"polls_total" + plan("dbsa"):                         "1",
			"polls_total" + plan("dbsb"):                         "absent",
		})
		f.apply(discovering(nil))
		f.pass(moment)
		f.expect(map[string]string{
			"discovered_plans" + target:  "3",
			"polls_total" + plan("dbsa"): "2",
			"polls_total" + plan("dbsb"): "1",
			`api_requests_total{account="acme",region_id="cn-hangzhou",action="DescribeBackupPlanList"}`: "2",
		})
	})
}

// Plans come with the next list, are polled at once, and go with all their series
// with the second list that lacks them, a poll interval after the first.
func TestDiscoveredPlansComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(simPlan("dbsa", "a"), simPlan("dbsb", "b")))
		sim.SetFault(dbsapi.ActionBackupPlans, dbssim.Fault{Delay: 10 * time.Millisecond})
		f := newFixture(t, sim, discovering(nil))
		f.run()
		sim.RemovePlan("dbsa")
		sim.SetPlan(simPlan("dbsc", "c"))
		due := f.poller.Snapshot().Targets[0].PlanList.Due
		f.pass(time.Until(due) - time.Second)
		if got := f.planIDs(); got != "dbsa dbsb" {
			t.Errorf("before the next list the plans are %s", got)
		}
		polls := f.plan("dbsb").Poll.Polls
		f.pass(time.Second + moment)
		if got := f.planIDs(); got != "dbsa dbsb dbsc" {
			t.Errorf("after it they are %s", got)
		}
		f.expect(map[string]string{"polls_total" + plan("dbsc"): "1"})
		due = f.poller.Snapshot().Targets[0].PlanList.Due
		if wait := time.Until(due); wait > time.Minute {
			t.Errorf("the list that confirms it comes %v later", wait)
		}
		f.pass(time.Until(due) + moment)
		if got := f.planIDs(); got != "dbsb dbsc" {
			t.Errorf("after that they are %s", got)
		}
		if got := f.plan("dbsb").Poll.Polls; got < polls {
			t.Errorf("%d polls of the plan that stays became %d", polls, got)
		}
		f.expect(map[string]string{
			"discovery_last_success_timestamp_seconds" + target: at(due.Add(10 * time.Millisecond)),
			"polls_total" + plan("dbsa"):                        "absent",
		})
		lines := f.log.lines("Plans changed")
		want := []string{
			`level=info account=acme region_id=cn-hangzhou msg="Plans changed" plans=2 added=2 added_ids=dbsa,dbsb removed=0 removed_ids=` + "\n",
			`level=info account=acme region_id=cn-hangzhou msg="Plans changed" plans=3 added=1 added_ids=dbsc removed=0 removed_ids=` + "\n",
			`level=info account=acme region_id=cn-hangzhou msg="Plans changed" plans=2 added=0 added_ids= removed=1 removed_ids=dbsa` + "\n",
		}
		if strings.Join(lines, "") != strings.Join(want, "") {
			t.Errorf("logged %q", lines)
		}
	})
}

// A list that fails, stops short, or is empty without saying so takes no plan away, and says what happened.
func TestDiscoveryFailures(t *testing.T) {
	const cut = "plan list is incomplete: it has 2 of 3 plans"
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
		}}, "DescribeBackupPlanList: decode: the first page is empty and does not say that the list is", "dbsa dbsb"},
		{
			"empty, total says otherwise",
			dbssim.Fault{Envelope: func(e map[string]any) { e["Items"] = nil }},
			"DescribeBackupPlanList: decode: the first page is empty though the list has 2 elements", "dbsa dbsb",
		},
		{"one page too few", dbssim.Fault{Envelope: func(e map[string]any) { e["TotalElements"] = 3 }}, cut, "dbsa dbsb dbsc"},
		{"empty, and the API says so", dbssim.Fault{Envelope: func(e map[string]any) {
			e["Items"], e["TotalElements"] = nil, 0
		}}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := dbssim.New(nil, account(simPlan("dbsa", "a"), simPlan("dbsb", "b")))
				f := newFixture(t, sim, discovering(nil))
				f.run()
				sim.RemovePlan("dbsa")
				sim.SetPlan(simPlan("dbsc", "c"))
				sim.SetFault(dbsapi.ActionBackupPlans, tt.fault)
				f.pass(time.Until(f.poller.Snapshot().Targets[0].PlanList.Due) + 80*time.Second) // with the retries of the list, and the one after it

				if got := f.planIDs(); got != tt.plans {
					t.Errorf("plans are %q, want %q", got, tt.plans)
				}
				success, lines := "1", f.log.lines("Discovery failed")
				if tt.err != "" {
					success = "0"
					if len(lines) == 0 || !strings.Contains(lines[0], tt.err) || !strings.Contains(lines[0], `msg="Discovery failed, continuing with the plans already known"`) {
						t.Errorf("logged %q", lines)
					}
				} else if len(lines) != 0 {
					t.Errorf("logged %q", lines)
				}
				f.expect(map[string]string{"discovery_success" + target: success})

				// The next attempt comes within the poll interval, not that of discovery.
				sim.ClearFault(dbsapi.ActionBackupPlans)
				if tt.err != "" {
					f.pass(150 * time.Second)
					f.expect(map[string]string{"discovery_success" + target: "1"})
					if got := f.planIDs(); got != "dbsb dbsc" {
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
		f := newFixture(t, sim, discovering(nil, "dbsa"))
		f.run()
		f.pass(moment)
		f.expect(map[string]string{
			"discovery_success" + target:                        "0",
			"discovery_last_success_timestamp_seconds" + target: "absent",
			"discovered_plans" + target:                         "absent",
			"polls_total" + plan("dbsa"):                        "1",
			"plan_info" + planWith("dbsa", `plan_name="",database_type="",resource_group_id=""`): "1",
		})
		if err := f.poller.Ready(); err != nil {
			t.Error(err)
		}
		sim.ClearFault(dbsapi.ActionBackupPlans)
		f.pass(time.Minute + 30*time.Second)
		f.expect(map[string]string{
			"discovery_success" + target: "1",
			"discovered_plans" + target:  "2",
		})
		if f.plan("dbsb").Poll.Polls == 0 {
			t.Error("a plan that was found later was not polled")
		}
	})
}

// A target is ready when discovery has ended and what it found has been polled.
func TestReadyWithDiscovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(simPlan("dbsa", "a")))
		sim.SetFault(dbsapi.ActionBackupPlans, dbssim.Fault{Delay: 2 * time.Second})
		sim.SetFault("dbsa", dbssim.Fault{Delay: 3 * time.Second})
		f := newFixture(t, sim, discovering(nil))
		f.run()
		for _, at := range []time.Duration{time.Second, 3 * time.Second} {
			f.pass(at)
			if f.poller.Ready() == nil {
				t.Errorf("ready %v later", at)
			}
		}
		f.pass(2 * time.Second)
		if err := f.poller.Ready(); err != nil {
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
		f := newFixture(t, sim, discovering(nil))
		f.run()
		other := discovering(nil)
		other.Targets[0].KeyID, other.Targets[0].KeySecret, other.Targets[0].KeyToken = "other", "other-secret", "other-token"
		f.apply(other)
		f.pass(moment)
		if got := f.planIDs(); got != "dbsb" {
			t.Errorf("plans are %s", got)
		}
	})
}
