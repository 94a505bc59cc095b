package poll_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// Lists that always fail add no more plans than the API says exist, and one
// without plans changes nothing.
func TestFailedListsDoNotAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, dbssim.New(nil, account(discoverable("dbsa"), discoverable("dbsb"))), discovering("interval: 1m"))
		f.run()
		var lists atomic.Int64
		f.sim.SetFault(dbsapi.ActionBackupPlans, dbssim.Fault{Envelope: func(e map[string]any) {
			if e["TotalElements"] = 3; e["PageNum"] == 0 {
				planRows(e)[1]["BackupPlanId"] = fmt.Sprintf("dbsnew%d", lists.Add(1))
			}
		}})
		for n, want := range []string{
			"dbsa dbsb dbsnew1 ", "dbsa dbsb dbsnew1 dbsnew2 ", "dbsa dbsb dbsnew1 dbsnew2 dbsnew3 ",
			"dbsa dbsb dbsnew1 dbsnew2 dbsnew4 ", "dbsa dbsb dbsnew1 dbsnew2 dbsnew5 ",
		} {
			f.until(2*time.Minute, time.Second, func() bool { return lists.Load() > int64(n) })
			pass(time.Second)
			if got := f.ids(); got != want {
				t.Errorf("after %d failed lists, the plans are %s, want %s", n+1, got, want)
			}
		}
		f.sim.SetFault(dbsapi.ActionBackupPlans, dbssim.Failing(403, "Forbidden.RAM"))
		pass(2 * time.Minute)
		if got := f.ids(); got != "dbsa dbsb dbsnew1 dbsnew2 dbsnew5 " {
			t.Errorf("after a list without plans, the plans are %s", got)
		}
	})
}

// A failed list that ends earlier than the failed list before it takes no plan
// away: plans that only failed lists had go when successful ones lack them.
func TestShorterFailedListKeepsPlans(t *testing.T) {
	all := make(map[int]string)
	for i := range 300 {
		all[i] = runningRow(fmt.Sprintf("dbs%05d", i))
	}
	for name, complete := range map[string]int{"before a successful list": 0, "after a successful list": 50} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := new(planServer)
				serve := func(plans, total int) {
					server.Store(&planList{plans: plans, total: total, rows: all})
					pass(2 * time.Minute)
				}
				server.Store(&planList{plans: complete, total: max(complete, 1), rows: all})
				f := newFixture(t, server, discovering("interval: 1m"))
				f.run()
				pass(time.Second)
				polls := uint64(0)
				for i, plans := range []int{200, 100, 200, 100, 99} {
					serve(plans, 300)
					if got := len(f.target().Plans); got != 200 || f.listFailure() == "" {
						t.Fatalf("after list %d, %d plans are polled (%q)", i, got, f.listFailure())
					}
					if got := f.plan("dbs00199").Poll.Polls; got <= polls {
						t.Errorf("after list %d, %d polls became %d", i, polls, got)
					}
					polls = f.plan("dbs00199").Poll.Polls
				}
				serve(150, 150)
				if got := len(f.target().Plans); got != 150 || f.listFailure() != "" {
					t.Errorf("after successful lists of 150 plans, %d are polled (%q)", got, f.listFailure())
				}
			})
		})
	}
}

// A failed list leaves what the failed list before it said of a plan.
func TestShorterFailedListKeepsStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := new(planServer)
		server.Store(&planList{plans: 150, total: 150, rows: map[int]string{0: runningRow("dbsa"), 149: runningRow("dbsb")}})
		f := newFixture(t, server, discovering("interval: 1m"))
		f.run()
		pass(time.Second)
		stopped := map[int]string{0: runningRow("dbsa"), 149: `{"BackupPlanId":"dbsb","BackupPlanStatus":"stop"}`}
		for i, plans := range []int{150, 100} {
			server.Store(&planList{plans: plans, total: 151, rows: stopped})
			pass(2 * time.Minute)
			if got := f.ids(); got != "dbsa " || f.listFailure() == "" {
				t.Errorf("after list %d, the plans are %s(%q)", i, got, f.listFailure())
			}
		}
	})
}
