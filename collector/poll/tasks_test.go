package poll_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// The wait for the exporter's own rate limit is not part of a poll's time: three
// plans of 41 pages at 2.5 requests a second take 50 s together, and each poll has
// 30 s.
func TestQueueDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var plans []dbssim.Plan
		var ids []string
		for i := range 3 {
			id := fmt.Sprintf("dbs%d", i)
			plans, ids = append(plans, dbssim.Plan{ID: id, Tasks: dbssim.Fixed(tasks("t", 4040)...)}), append(ids, id)
		}
		c := simtest.Plans("poll_interval: 70s\npoll_timeout: 30s", ids...)
		c.Targets[0].Rate, c.Targets[0].Concurrency = 2.5, 4
		f := newFixture(t, dbssim.New(nil, account(plans...)), c)
		f.run()
		took := f.until(60*time.Second, time.Second, func() bool {
			for _, p := range f.target().Plans {
				if p.Poll.Polls == 0 {
					return false
				}
			}
			return true
		})
		for _, p := range f.target().Plans {
			if p.Poll.Failure != nil || p.Listing.Tasks != 4040 || p.Poll.Duration > time.Second {
				t.Errorf("plan %s after %v: %+v", p.ID, took, p.Poll)
			}
		}
	})
}

// A listing that was cut counts nothing as an end that happened before it.
func TestEndsBeforeTheFirstListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := tasks("t", 230)
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(list...)}))
		sim.SetFault("dbsa", dbssim.Fault{Envelope: func(e map[string]any) {
			for name, rows := range e["Items"].(map[string]any) {
				shown := map[bool]int{true: 40}[e["PageNum"] == 0]
				e["Items"] = map[string]any{name: rows.([]map[string]any)[:shown]}
			}
		}})
		f := newFixture(t, sim, simtest.Plans("", "dbsa"))
		f.run()
		pass(time.Second)
		if p := f.plan("dbsa"); p.Listing == nil || p.Listing.Tasks != 40 {
			t.Fatalf("the first listing is %+v", p.Listing)
		} else if complete, known := p.Listing.Complete(); complete || !known {
			t.Errorf("complete is %t, known %t", complete, known)
		}
		sim.ClearFault("dbsa")
		pass(10 * time.Minute)
		if p := f.plan("dbsa"); p.Listing.Tasks != 230 || p.Finished != 0 || p.Failed != 0 {
			t.Errorf("%d tasks are listed, %d finished and %d failed", p.Listing.Tasks, p.Finished, p.Failed)
		}
	})
}

// A wrong Date header in the first answer silences no counter of ends.
func TestWrongDateOfFirstAnswer(t *testing.T) {
	for _, date := range []string{"Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"} {
		t.Run(date, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old := tasks("t", 3)
				sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: func(now time.Time) []dbssim.Task {
					list := slices.Clone(old[:2])
					if ended := epoch.Add(3 * time.Minute); !now.Before(ended) {
						end := dbssim.Task{ID: "new", Status: "finish", Created: epoch, Finished: ended}
						list = append(list, old[2], end) // an old end that the first listing lacks
					}
					return list
				}}))
				first := true
				f := newFixture(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if first {
						w.Header().Set("Date", date)
					}
					first = false
					sim.ServeHTTP(w, r)
				}), simtest.Plans("", "dbsa"))
				f.run()
				pass(10 * time.Minute)
				if p := f.plan("dbsa"); p.Listing.Tasks != 4 || p.Finished != 1 {
					t.Errorf("%d tasks are listed and %d finished", p.Listing.Tasks, p.Finished)
				}
			})
		})
	}
}

// An answer without rows and without a total is not an empty list.
func TestEmptyWithoutTotal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := tasks("t", 3)
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(list...)}))
		f := newFixture(t, sim, simtest.Plans("stale_after: 1h", "dbsa"))
		f.run()
		pass(time.Second)
		sim.SetFault("dbsa", dbssim.Fault{Envelope: func(e map[string]any) {
			e["Items"] = nil
			delete(e, "TotalElements")
			delete(e, "TotalPages")
		}})
		pass(3 * time.Minute)
		p := f.plan("dbsa")
		if p.Poll.Failure == nil || p.Poll.Failure.Reason != dbsapi.ReasonDecode {
			t.Errorf("failure is %+v", p.Poll.Failure)
		}
		if p.Listing == nil || p.Listing.Counts[download.StatusFinish] != 3 {
			t.Errorf("listing is %+v", p.Listing)
		}
		sim.SetFault("dbsa", dbssim.Fault{Envelope: func(e map[string]any) { e["Items"], e["TotalElements"] = nil, 0 }})
		pass(2 * time.Minute)
		if p = f.plan("dbsa"); p.Poll.Failure != nil || p.Listing.Tasks != 0 {
			t.Errorf("after a total of 0 the failure is %+v, the listing %+v", p.Poll.Failure, p.Listing)
		}
	})
}

// Enabling task_series shows what is known at once; the rows behind it are kept
// while the feature is off.
func TestEnableTaskSeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := tasks("t", 30)
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(list...)}))
		f := newFixture(t, sim, simtest.Plans("task_series: {enabled: false, max_per_plan: 20}", "dbsa"))
		f.run()
		pass(time.Second)
		if l := f.plan("dbsa").Listing; len(l.Series) != 20 || l.Hidden != (download.Hidden{Limit: 10}) {
			t.Errorf("%d tasks are kept, hidden are %+v", len(l.Series), l.Hidden)
		}
		f.apply(simtest.Plans("task_series: {enabled: true, max_per_plan: 25}", "dbsa"))
		if l := f.plan("dbsa").Listing; len(l.Series) != 20 {
			t.Errorf("after the reload %d tasks are kept", len(l.Series))
		}
		pass(2 * time.Minute)
		if l := f.plan("dbsa").Listing; len(l.Series) != 25 || l.Hidden != (download.Hidden{Limit: 5}) {
			t.Errorf("after another poll %d tasks are kept, hidden are %+v", len(l.Series), l.Hidden)
		}
	})
}

// An attempt that was not sent is not counted as a request.
func TestUnsentIsNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := simtest.Plans("", "dbsa", "dbsb")
		c.Targets[0].KeySecret = ""
		f := newFixture(t, dbssim.New(nil, account(dbssim.Plan{ID: "dbsa"}, dbssim.Plan{ID: "dbsb"})), c)
		sim := f.sim
		sim.SetFault(dbssim.Everything, dbssim.Throttled(20*time.Second))
		f.run()
		pass(10 * time.Second)
		calls := f.target().Calls[0]
		var failures uint64
		for _, n := range calls.Failures {
			failures += n
		}
		// The first request is throttled; the other plan's waits for the pause.
		if calls.Requests != 1 || failures != 1 {
			t.Errorf("%d requests and %d failures are counted, 1 was sent", calls.Requests, failures)
		}
		sim.ClearFault(dbssim.Everything)
		pass(30 * time.Second)
		for _, p := range f.target().Plans {
			if p.Poll.Failure != nil || p.Poll.Polls != 1 {
				t.Errorf("after the pause plan %s has %+v", p.ID, p.Poll)
			}
		}
	})
}
