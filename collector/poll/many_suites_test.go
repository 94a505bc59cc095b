//go:build suites && !race

package poll_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// changingHistory is a list of 1,000 downloads, the last one first. Each hour,
// the running one ends, one begins, and the oldest is deleted.
func changingHistory() func(time.Time) []dbssim.Task {
	const hours, length = 24, 1000
	all := longHistory(hours + length)
	for i := range all {
		all[i].Created = all[i].Created.Add((hours + 1) * time.Hour)
		all[i].Status, all[i].Finished = "finish", all[i].Created.Add(59*time.Minute)
	}
	return func(now time.Time) []dbssim.Task {
		first := hours - int(now.Sub(epoch)/time.Hour)
		list := slices.Clone(all[first : first+length])
		list[0].Status, list[0].Finished = "running", time.Time{}
		return list
	}
}

// At the default rate, 150 plans with histories of eleven requests are polled every
// minute.
func TestManyLongHistories(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var plans []dbssim.Plan
		var ids []string
		list := changingHistory()
		for i := range 150 {
			id, minutes := fmt.Sprintf("dbs%d", i), time.Duration(i%60)*time.Minute
			plans = append(plans, dbssim.Plan{ID: id, Tasks: func(now time.Time) []dbssim.Task { return list(now.Add(minutes)) }})
			ids = append(ids, id)
		}
		c := simtest.Plans("", ids...)
		c.Targets[0].Rate = 5
		f := newFixture(t, dbssim.New(nil, account(plans...)), c)
		f.run()
		firstRound := f.until(15*time.Minute, time.Second, func() bool {
			return !slices.ContainsFunc(f.target().Plans, func(p poll.Plan) bool { return p.Poll.Polls == 0 })
		})
		pass(2 * time.Minute)
		before := f.target()
		const minutes = 60
		pass(minutes * time.Minute)
		after := f.target()
		for i, p := range after.Plans {
			polls := p.Poll.Polls - before.Plans[i].Poll.Polls
			if polls < minutes-1 || p.Poll.Failures > 0 || p.Listing.Tasks != 1000 || p.Listing.Counts[download.StatusRunning] != 1 || p.Finished == 0 {
				t.Errorf("plan %s was polled %d times in %d minutes: %+v, %d finished", p.ID, polls, minutes, p.Poll, p.Finished)
			}
		}
		if skipped := after.Skipped - before.Skipped; skipped > 0 {
			t.Errorf("%d polls were skipped", skipped)
		}
		perMinute := float64(after.Calls[0].Requests-before.Calls[0].Requests) / minutes
		if allowed := float64(after.Budget.Allowed); perMinute > 0.75*allowed || float64(after.Budget.Needed) < perMinute || after.Budget.Needed > after.Budget.Allowed {
			t.Errorf("%.0f requests a minute, the budget is %+v", perMinute, after.Budget)
		}
		t.Logf("the first round took %v; then %.0f requests a minute, by the budget %d of %d",
			firstRound, perMinute, after.Budget.Needed, after.Budget.Allowed)
	})
}
