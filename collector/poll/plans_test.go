package poll_test

import (
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
