package poll_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// longHistory are n finished tasks and 5 that run, the last ones first.
func longHistory(n int) []dbssim.Task {
	list := make([]dbssim.Task, 0, n+5)
	for i := range n + 5 {
		created := epoch.Add(-time.Duration(i+1) * time.Hour)
		task := dbssim.Task{ID: fmt.Sprintf("t%05d", i), Status: "finish", Bytes: 1000, Created: created, Finished: created.Add(time.Minute)}
		if i < 5 {
			task.Status, task.Finished = "running", time.Time{}
		}
		list = append(list, task)
	}
	return list
}

// Polls between full listings send the requests that their tasks need. Full
// listings come once in their interval.
func TestPollsBetweenFullListings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(longHistory(2000)...)}))
		f := newFixture(t, sim, simtest.Plans("full_listing_interval: 10m", "dbsa"))
		f.run()
		var full, sent int
		for range 60 {
			before := f.plan("dbsa").Poll
			f.until(2*time.Minute, time.Second, func() bool { return f.plan("dbsa").Poll.Polls > before.Polls })
			p := f.plan("dbsa")
			if p.Poll.Failure != nil || p.Listing.Tasks != 2005 || p.Listing.Counts[download.StatusRunning] != 5 {
				t.Fatalf("poll %d: %+v, listing %+v", p.Poll.Polls, p.Poll, p.Listing)
			}
			if p.Poll.FullListingAt.Equal(before.FullListingAt) {
				if p.Poll.Requests > 3 {
					t.Errorf("poll %d sent %d requests", p.Poll.Polls, p.Poll.Requests)
				}
			} else if full++; p.Poll.Requests != 21 {
				t.Errorf("a full listing of 21 pages sent %d requests", p.Poll.Requests)
			}
			sent += p.Poll.Requests
		}
		if full < 6 || full > 8 {
			t.Errorf("%d full listings in an hour", full)
		}
		// The first listing gave way to shorter ones after its first page.
		if calls := f.target().Calls[0].Requests; calls != uint64(sent+1) {
			t.Errorf("%d requests were sent, the polls count %d", calls, sent)
		}
		if b := f.target().Budget; b.Needed > 5 {
			t.Errorf("the budget is %+v", b)
		}
	})
}

// A full listing that fails is due with the next poll again.
func TestFullListingFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(longHistory(300)...)}))
		f := newFixture(t, sim, simtest.Plans("full_listing_interval: 1m", "dbsa"))
		f.run()
		pass(3 * time.Minute)
		good := f.plan("dbsa").Poll
		sim.SetFault("dbsa", dbssim.Failing(403, "NoPermission"))
		pass(2 * time.Minute)
		if p := f.plan("dbsa").Poll; p.Failure == nil || !p.FullListingAt.Equal(good.FullListingAt) {
			t.Errorf("while the API refuses: %+v", p)
		}
		sim.ClearFault("dbsa")
		pass(time.Minute + time.Second)
		if p := f.plan("dbsa").Poll; p.Failure != nil || !p.FullListingAt.Equal(p.SucceededAt) {
			t.Errorf("after that: %+v", p)
		}
	})
}

// With an interval of 0 every poll reads all tasks.
func TestFullListingsAlways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(longHistory(300)...)}))
		f := newFixture(t, sim, simtest.Plans("full_listing_interval: 0s", "dbsa"))
		f.run()
		pass(5*time.Minute + time.Second)
		if p := f.plan("dbsa").Poll; p.Requests != 4 || !p.FullListingAt.Equal(p.SucceededAt) || p.Polls < 5 {
			t.Errorf("%+v", p)
		}
	})
}

// The budget counts polls that list fully though no full listing is due, and says
// why they do.
func TestBudgetOfPollsThatListFully(t *testing.T) {
	waiting := longHistory(300)
	for i := range waiting {
		waiting[i].Status, waiting[i].Finished = "schedule", time.Time{}
	}
	for _, tt := range []struct {
		name     string
		arriving bool
		list     *dbssim.History
		sent     uint64 // in 10 minutes
		needed   int
		obstacle download.Obstacle
	}{
		{"all tasks wait", false, dbssim.NewHistory(dbssim.NewestFirst, dbssim.Retention{}, waiting...), 40, 4, download.Unsettled},
		{"new tasks in a list without an order", true, dbssim.NewHistory(dbssim.Shuffled, dbssim.Retention{}, longHistory(300)...), 50, 5, download.NoOrder},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: tt.list.Tasks}))
				f := newFixture(t, sim, simtest.Plans("full_listing_interval: 10h", "dbsa"))
				f.run()
				pass(10*time.Second + time.Minute)
				before := f.target().Calls[0].Requests
				for n := range 10 {
					if tt.arriving {
						at := time.Now()
						tt.list.Put(dbssim.Task{ID: fmt.Sprintf("new%d", n), Status: "finish", Created: at.Add(-time.Second), Finished: at})
					}
					pass(time.Minute)
				}
				if sent := f.target().Calls[0].Requests - before; sent != tt.sent {
					t.Errorf("%d requests in 10 minutes, want %d", sent, tt.sent)
				}
				b := f.target().Budget
				if b.Needed != tt.needed || b.Obstacles[tt.obstacle] != 1 || f.plan("dbsa").Poll.Obstacle != tt.obstacle {
					t.Errorf("the budget is %+v", b)
				}
			})
		})
	}
}

// The full listings of many plans are spread over their interval, also
// after reloads and outages.
func TestFullListingsAreSpread(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(f *fixture, c simtest.Config)
	}{
		{"nothing happens", func(*fixture, simtest.Config) {}},
		{"a shorter interval", func(f *fixture, c simtest.Config) {
			pass(29 * time.Minute)
			c.Top = "poll_interval: 3m\nfull_listing_interval: 20m"
			f.apply(c)
		}},
		{"higher limits", func(f *fixture, c simtest.Config) {
			c.Top = "poll_interval: 3m\ntask_series: {enabled: true, completed_within: 9000h, max_per_plan: 150}"
			f.apply(c)
		}},
		{"an outage", func(f *fixture, _ simtest.Config) {
			f.sim.SetFault(dbssim.Everything, dbssim.Failing(403, "NoPermission"))
			pass(50 * time.Minute)
			f.sim.ClearFault(dbssim.Everything)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var plans []dbssim.Plan
				var ids []string
				for i := range 10 { // each poll takes a hundred times as long under the race detector
					id := fmt.Sprintf("dbs%d", i)
					plans, ids = append(plans, dbssim.Plan{ID: id, Tasks: dbssim.Fixed(longHistory(100)...)}), append(ids, id)
				}
				c := simtest.Plans("poll_interval: 3m\nfull_listing_interval: 30m", ids...)
				c.Targets[0].Rate = 5
				f := newFixture(t, dbssim.New(nil, account(plans...)), c)
				f.run()
				pass(3 * time.Minute)
				tt.change(f, c)
				changed := time.Now()
				for range 30 {
					since := time.Now()
					pass(time.Minute)
					n := 0
					for _, p := range f.target().Plans {
						if p.Poll.FullListingAt.After(since) {
							n++
						}
					}
					if n > 3 {
						t.Errorf("%d of 10 plans are listed in full within a minute", n)
					}
				}
				pass(3 * time.Minute)
				for _, p := range f.target().Plans {
					if !p.Poll.FullListingAt.After(changed) {
						t.Errorf("plan %s is not listed in full", p.ID)
					}
				}
			})
		})
	}
}

// Tasks over a limit that was raised get series with the next full listing of
// their plan.
func TestRaisedLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(longHistory(200)...)}))
		f := newFixture(t, sim, simtest.Plans("task_series: {enabled: true, completed_within: 9000h, max_per_plan: 20}", "dbsa"))
		f.run()
		pass(time.Minute)
		f.apply(simtest.Plans("task_series: {enabled: true, completed_within: 9000h, max_per_plan: 90}", "dbsa"))
		listed := f.plan("dbsa").Poll.FullListingAt
		f.until(31*time.Minute, time.Second, func() bool {
			p := f.plan("dbsa")
			if n := len(p.Listing.Series); n < 20 || n > 25 && p.Poll.FullListingAt.Equal(listed) {
				t.Fatalf("%d tasks are kept before the full listing", n)
			}
			return p.Poll.FullListingAt.After(listed)
		})
		pass(10 * time.Minute)
		if l := f.plan("dbsa").Listing; len(l.Series) != 90 || l.Hidden != (download.Hidden{Limit: 115}) {
			t.Errorf("%d tasks are kept, hidden are %+v", len(l.Series), l.Hidden)
		}
	})
}

// A plan with nothing unsettled is polled in its own interval, until a poll finds
// a download that runs.
func TestIdlePlans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := longHistory(50)[5:]
		sim := dbssim.New(nil, account(dbssim.Plan{ID: "dbsa", Tasks: func(now time.Time) []dbssim.Task {
			if now.Sub(epoch) < time.Hour {
				return list
			}
			return append(longHistory(0)[:1], list...)
		}}))
		f := newFixture(t, sim, simtest.Plans("idle_poll_interval: 10m", "dbsa"))
		f.run()
		pass(20 * time.Minute)
		before := f.plan("dbsa").Poll
		pass(30 * time.Minute)
		p := f.plan("dbsa").Poll
		if n := p.Polls - before.Polls; n != 3 || !p.Idle || p.Late != 0 {
			t.Errorf("%d polls of an idle plan in 30 minutes: %+v", n, p)
		}
		if b := f.target().Budget; b.Needed != 1 {
			t.Errorf("the budget is %+v", b)
		}
		took := f.until(20*time.Minute+time.Second, time.Second, func() bool { return !f.plan("dbsa").Poll.Idle })
		before = f.plan("dbsa").Poll
		pass(10 * time.Minute)
		if n := f.plan("dbsa").Poll.Polls - before.Polls; n < 9 {
			t.Errorf("%d polls in the ten minutes after %v", n, took)
		}
	})
}
