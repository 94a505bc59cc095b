package poll_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

func discovering(keys ...string) simtest.Config {
	return simtest.Config{Targets: []simtest.Target{{Discovery: append([]string{"enabled: true"}, keys...)}}}
}

func discoverable(id string) dbssim.Plan {
	return dbssim.Plan{ID: id, Name: id, Region: "cn-hangzhou", DatabaseType: "MySQL", AutoDownload: true}
}

// ids returns the plans that are polled.
func (f *fixture) ids() (ids string) {
	for _, p := range f.target().Plans {
		ids += p.ID + " "
	}
	return ids
}

// A reload that changes whom the target asks forgets what the old identity has
// found, at once.
func TestReloadForgetsOtherIdentity(t *testing.T) {
	changes := map[string]func(*simtest.Target){
		"credentials": func(t *simtest.Target) { t.KeyID, t.KeySecret, t.KeyToken = "other", "other-secret", "other-token" },
		"endpoint":    func(t *simtest.Target) { t.Endpoint = "http://127.0.0.1:2" },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := dbssim.New(nil, account(discoverable("dbsa")), dbssim.Account{
					AccessKeyID: "other", AccessKeySecret: "other-secret", SecurityToken: "other-token",
					Plans: []dbssim.Plan{discoverable("dbsb")},
				})
				f := newFixture(t, sim, discovering())
				f.run()
				pass(time.Second)
				if got := f.ids(); got != "dbsa " {
					t.Fatalf("plans are %s", got)
				}
				sim.SetFault(dbsapi.ActionBackupPlans, dbssim.Failing(403, "Forbidden.RAM"))
				c := discovering()
				change(&c.Targets[0])
				f.apply(c)
				pass(time.Second)
				if got := f.ids(); got != "" {
					t.Errorf("after the reload the plans are still %s", got)
				}
				if l := f.target().PlanList; l.Failure == nil || !l.SucceededAt.IsZero() {
					t.Errorf("the list of plans is %+v", l)
				}
			})
		})
	}
}

// A list that was asked for under the old identity and comes after the reload is
// dropped.
func TestLateListOfOtherIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(discoverable("dbsa")), dbssim.Account{
			AccessKeyID: "other", AccessKeySecret: "other-secret", SecurityToken: "other-token", Plans: []dbssim.Plan{discoverable("dbsb")},
		})
		sim.SetFault(dbsapi.ActionBackupPlans, dbssim.Fault{Delay: 5 * time.Second})
		f := newFixture(t, sim, discovering())
		f.run()
		pass(time.Second)
		c := discovering()
		c.Targets[0].KeyID, c.Targets[0].KeySecret, c.Targets[0].KeyToken = "other", "other-secret", "other-token"
		f.apply(c)
		for range 20 {
			pass(time.Second)
			if got := f.ids(); got != "" && got != "dbsb " {
				t.Fatalf("plans are %s", got)
			}
		}
		if got := f.ids(); got != "dbsb " {
			t.Errorf("plans are %s", got)
		}
	})
}

// The state of a plan from a list is shown for five intervals. The plan is polled
// all the time.
func TestPlanListAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(discoverable("dbsa")))
		f := newFixture(t, sim, discovering("interval: 2m"))
		f.run()
		pass(time.Second)
		succeeded := f.target().PlanList.SucceededAt
		sim.SetFault(dbsapi.ActionBackupPlans, dbssim.Failing(403, "Forbidden.RAM"))
		pass(10*time.Minute - time.Since(succeeded))
		if p := f.plan("dbsa"); p.Info.Status != "running" || p.Info.AutoDownload == nil || !f.target().PlanList.Fresh {
			t.Errorf("after five intervals the plan is %+v", p.Info)
		}
		pass(time.Millisecond)
		p, l := f.plan("dbsa"), f.target().PlanList
		if p.Info.Status != "" || p.Info.AutoDownload != nil || p.Info.Name != "dbsa" || l.Fresh {
			t.Errorf("later the plan is %+v, the list %+v", p.Info, l)
		}
		if p.Listing == nil || p.Poll.Polls < 9 {
			t.Errorf("the plan is not polled any more: %+v", p.Poll)
		}
		sim.ClearFault(dbsapi.ActionBackupPlans)
		pass(2 * time.Minute)
		if p := f.plan("dbsa"); p.Info.Status != "running" || !f.target().PlanList.Fresh {
			t.Errorf("after a new list the plan is %+v", p.Info)
		}
	})
}

// A reload of http_client asks the same account, so the plans stay although their
// list fails just then.
func TestReloadOfHTTPClientKeepsPlans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(discoverable("dbsa")))
		f := newFixture(t, sim, discovering())
		f.run()
		pass(3 * time.Minute)
		polls := f.plan("dbsa").Poll.Polls
		sim.SetFault(dbsapi.ActionBackupPlans, dbssim.Failing(500, "InternalError"))
		c := discovering()
		c.Top = "http_client: {tls_config: {min_version: TLS13}}"
		f.apply(c)
		if p := f.plan("dbsa"); p.Poll.Polls != polls || p.Listing == nil {
			t.Errorf("after the reload the plan has %d polls, before it had %d", p.Poll.Polls, polls)
		}
	})
}

// A plan that another identity of the target lists, too, keeps its counters.
func TestCountersOutliveIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, dbssim.New(nil, account(discoverable("dbsa"))), discovering())
		f.run()
		pass(3 * time.Minute)
		polls := f.plan("dbsa").Poll.Polls
		f.sim.SetFault(dbsapi.ActionBackupPlans, dbssim.Failing(500, "InternalError"))
		c := discovering()
		c.Targets[0].Endpoint = "http://127.0.0.1:2"
		f.apply(c)
		pass(20 * time.Second) // the first list fails
		c.Top = "poll_timeout: 20s"
		f.apply(c) // another reload, before a list of plans has succeeded
		f.sim.ClearFault(dbsapi.ActionBackupPlans)
		pass(2 * time.Minute)
		if now := f.plan("dbsa").Poll.Polls; now < polls || polls == 0 {
			t.Errorf("%d polls became %d", polls, now)
		}
	})
}

// Plans whose ID cannot be asked for do not keep the others from being polled and
// removed. If no ID is usable, the list is not one of plans.
func TestUnusablePlanIDs(t *testing.T) {
	for name, id := range map[string]string{"NUL": "dbs\x00a", "newline": "dbs\na", "URL": "https://evil.example/"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, dbssim.New(nil, account(discoverable("dbsa"), discoverable("dbsb"), discoverable(id))), discovering("interval: 1m"))
				f.run()
				pass(time.Second)
				if got := f.ids(); got != "dbsa dbsb " || f.plan("dbsa").Poll.Polls == 0 || f.target().PlanList.Failure != nil {
					t.Errorf("plans are %s, failure is %+v", got, f.target().PlanList.Failure)
				}
				f.sim.RemovePlan("dbsa")
				pass(3 * time.Minute)
				if got := f.ids(); got != "dbsb " {
					t.Errorf("after a removal the plans are %s", got)
				}
				f.sim.RemovePlan("dbsb")
				pass(3 * time.Minute)
				failure := f.target().PlanList.Failure
				if want := "plan list is incomplete: none of its 1 plans has a usable ID"; failure == nil || failure.Text != want || failure.Reason != dbsapi.ReasonDecode {
					t.Errorf("without a usable plan the failure is %+v", failure)
				}
			})
		})
	}
}

// A reload that fails leaves everything as it was.
func TestFailedApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, dbssim.New(nil, account(discoverable("dbsa"))), discovering())
		f.run()
		pass(time.Second)
		before := f.poller.Snapshot().Config
		bad := *parse(t, discovering())
		bad.HTTPClient.TLS.CAFile = "/nonexistent"
		if err := f.poller.Apply(&bad); err == nil {
			t.Fatal("a client without its authorities was made")
		}
		if f.poller.Snapshot().Config != before || f.ids() != "dbsa " {
			t.Error("the failed reload has changed something")
		}
		polls := f.plan("dbsa").Poll.Polls
		pass(2 * time.Minute)
		if f.plan("dbsa").Poll.Polls <= polls {
			t.Error("polling has stopped")
		}
	})
}

// A filter matches the whole name of a plan, of which the label has a part. DBS
// allows 128 characters, of up to 4 bytes each.
func TestLongNames(t *testing.T) {
	for name, char := range map[string]string{"3 bytes": "备", "4 bytes": "𠮷"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				prod, test, cut := discoverable("dbsprod"), discoverable("dbstest"), discoverable("dbscut")
				prod.Name, test.Name = strings.Repeat(char, 123)+"-prod", strings.Repeat(char, 123)+"-test"
				cut.Name = strings.Repeat("x", 511) + char + "-test"
				f := newFixture(t, dbssim.New(nil, account(prod, test, cut)), discovering(`exclude: ".*-test"`))
				f.run()
				pass(time.Second)
				if got := f.ids(); got != "dbscut dbsprod " {
					t.Errorf("without -test, the plans are %s", got)
				}
				if got, want := f.plan("dbsprod").Info.Name, strings.Repeat(char, 256/len(char)); got != want {
					t.Errorf("the name is %s, want %s", got, want)
				}
				for filter, want := range map[string]string{`include: ".*-prod"`: "dbsprod ", `include: "x{511}"`: "dbscut "} {
					f.apply(discovering(filter))
					pass(2 * time.Minute)
					if got := f.ids(); got != want {
						t.Errorf("with %s, the plans are %s, want %s", filter, got, want)
					}
				}
			})
		})
	}
}
