package poll

import (
	"math"
	"time"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/dbsapi"
)

// budgets returns the budget of each quota.
func (s *state) budgets() map[config.Quota]Budget {
	budgets := make(map[config.Quota]Budget)
	interval := time.Duration(s.config.PollInterval)
	for quota, rate := range s.config.Rates() {
		budgets[quota] = Budget{
			Allowed:   int(math.Floor(rate * interval.Seconds())),
			Obstacles: make(map[download.Obstacle]int),
		}
	}
	needs := make(map[config.Quota]float64)
	for _, t := range s.targets {
		quota := t.config.Quota()
		b := budgets[quota]
		for _, plan := range t.plans {
			b.Plans++
			if state := plan.state.Load(); state.listing != nil {
				every := t.pollInterval(state)
				needs[quota] += s.requestsPerPoll(state, every) * float64(interval) / float64(every)
				switch state.obstacle {
				case download.NoOrder, download.NoTotal, download.UnevenPages, download.Unsettled:
					b.Obstacles[state.obstacle]++
				}
			} else {
				b.Unlisted++
			}
		}
		budgets[quota] = b
		needs[quota] += t.listRequests()
	}
	for quota, requests := range needs {
		b := budgets[quota]
		b.Needed = int(math.Ceil(requests))
		budgets[quota] = b
	}
	return budgets
}

// requestsPerPoll returns what the polls of a plan cost on average: what the last
// poll did that no full listing was due for, and the share of full listings. Before
// the first such poll, one request is assumed.
func (s *state) requestsPerPoll(plan *planState, every time.Duration) float64 {
	all := float64(requestsFor(plan.listing.Rows))
	if s.config.FullListingInterval == 0 || plan.obstacle.ListsFully() {
		return all
	}
	share := min(1, float64(every)/float64(s.config.FullListingInterval))
	return share*all + (1-share)*float64(max(1, plan.changesCost))
}

// listRequests returns how many requests a target's lists take per poll interval.
func (t *target) listRequests() (requests float64) {
	interval := time.Duration(t.global.PollInterval)
	if t.planList != nil {
		requests += t.planList.requests(time.Duration(t.config.Discovery.Interval), interval)
	}
	if t.gateways != nil {
		requests += t.gateways.requests(time.Duration(t.config.Gateways.Interval), interval)
	}
	return requests
}

// requestsFor returns how many requests a list of that many rows takes. A list
// that ends with a full page takes one more to see that it ends.
func requestsFor(rows int) int { return rows/dbsapi.PageSize + 1 }
