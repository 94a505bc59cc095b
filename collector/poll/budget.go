package poll

import (
	"math"
	"time"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/dbsapi"
)

// budgets returns the budget of each quota.
func (s *state) budgets() map[config.Quota]Budget {
	budgets := make(map[config.Quota]Budget)
	interval := time.Duration(s.config.PollInterval)
	for quota, rate := range s.config.Rates() {
		budgets[quota] = Budget{Allowed: int(math.Floor(rate * interval.Seconds()))}
	}
	lists := make(map[config.Quota]float64)
	for _, t := range s.targets {
		quota := t.config.Quota()
		b := budgets[quota]
		for _, plan := range t.plans {
			b.Plans++
			if listing := plan.state.Load().listing; listing != nil {
				b.Needed += requestsFor(listing.Rows)
			} else {
				b.Unlisted++
			}
		}
		budgets[quota] = b
		if t.planList != nil {
			requests := requestsFor(len(t.listedPlans()))
			lists[quota] += float64(requests) * float64(interval) / float64(t.config.Discovery.Interval)
		}
	}
	for quota, requests := range lists {
		b := budgets[quota]
		b.Needed += int(math.Ceil(requests))
		budgets[quota] = b
	}
	return budgets
}

// requestsFor returns how many requests a list of that many rows takes. A list
// that ends with a full page takes one more to see that it ends.
func requestsFor(rows int) int { return rows/dbsapi.PageSize + 1 }
