package poll_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(discoverable("dbsa"), discoverable("dbsb")))
		sim.SetFault(dbsapi.ActionBackupPlans, dbssim.Fault{Delay: 2 * time.Second})
		sim.SetFault("dbsa", dbssim.Fault{Delay: 3 * time.Second})
		f := newFixture(t, sim, discovering())
		wantReady := func(want string) {
			t.Helper()
			if got := fmt.Sprint(f.poller.Ready()); got != want {
				t.Errorf("ready is %q, want %q", got, want)
			}
		}
		wantReady("polling has not begun")
		f.run()
		pass(time.Second)
		wantReady("the first plan list of account acme in cn-hangzhou has not ended")
		pass(3 * time.Second)
		wantReady("the first polls of account acme in cn-hangzhou have not ended")
		pass(2 * time.Second)
		wantReady("<nil>")

		// It stays ready when a reload adds plans.
		sim.SetFault("dbsb", dbssim.Fault{Delay: time.Hour})
		c := discovering()
		c.Targets = append(c.Targets, simtest.Target{RegionID: "cn-shanghai", Plans: []string{"dbsb"}})
		f.apply(c)
		wantReady("<nil>")
	})
}

// A reload in the first round may come before anybody has asked whether the
// exporter is ready.
func TestReadyIsNotedByReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}, dbssim.Plan{ID: "dbsb"})), simtest.Plans("", "dbsa"))
		f.run()
		pass(time.Second)
		f.sim.SetFault("dbsb", dbssim.Fault{Delay: time.Hour})
		f.apply(simtest.Plans("", "dbsa", "dbsb"))
		if err := f.poller.Ready(); err != nil {
			t.Error(err)
		}
	})
}

// A first round of many plans keeps the exporter from being ready for five
// minutes at most.
func TestReadyInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var plans []dbssim.Plan
		var ids []string
		for i := range 400 {
			plans, ids = append(plans, dbssim.Plan{ID: fmt.Sprintf("dbs%d", i)}), append(ids, fmt.Sprintf("dbs%d", i))
		}
		c := simtest.Plans("", ids...)
		c.Targets[0].Rate = 1
		f := newFixture(t, dbssim.New(nil, account(plans...)), c)
		f.run()
		pass(5*time.Minute - time.Second)
		if f.poller.Ready() == nil {
			t.Error("ready before the first round has ended")
		}
		pass(time.Second)
		if err := f.poller.Ready(); err != nil {
			t.Error(err)
		}
	})
}

// The list of plans and the plans in it appear at once: however often somebody
// asks, the exporter is not ready between the two.
func TestReadyIsAskedOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(discoverable("dbsa"), discoverable("dbsb")))
		sim.SetFault(dbsapi.ActionBackupPlans, dbssim.Fault{Delay: time.Second})
		sim.SetFault("dbsa", dbssim.Fault{Delay: time.Second})
		f := newFixture(t, sim, discovering())
		stop := make(chan struct{})
		var asking sync.WaitGroup
		for range 4 {
			asking.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if f.poller.Ready() == nil && len(f.target().Plans) < 2 {
						t.Error("ready without the plans")
						return
					}
					time.Sleep(20 * time.Microsecond)
				}
			})
		}
		f.run()
		time.Sleep(1010 * time.Millisecond)
		close(stop)
		asking.Wait()
		if f.poller.Ready() == nil {
			t.Error("ready before the first polls have ended")
		}
	})
}

// Plans that a later list finds are not part of the first polls, even if nobody
// asked before.
func TestReadyIsNotedByDiscovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, dbssim.New(nil, account(discoverable("dbsa"))), discovering("interval: 1m"))
		f.run()
		pass(time.Second)
		f.sim.SetPlan(discoverable("dbsb"))
		f.sim.SetFault("dbsb", dbssim.Fault{Delay: time.Hour})
		f.until(2*time.Minute, time.Second, func() bool { return len(f.target().Plans) == 2 })
		if err := f.poller.Ready(); err != nil {
			t.Error(err)
		}
	})
}
