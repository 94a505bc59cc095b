package collector

import (
	"math"
	"time"

	"github.com/go-kit/log/level"
)

// budget compares the requests that a poll round of one quota needs with those that its rate allows in an interval.
type budget struct {
	plans int
	// needed counts a request for every page that the plans had in their newest good listing, one for the others.
	needed  int
	allowed int
}

func (b budget) fits() bool { return b.needed <= b.allowed }

// budgets returns the budget of each quota.
func (a *applied) budgets() map[quota]budget {
	all := make(map[quota]budget)
	for _, t := range a.targets {
		key := t.settings.Load().config.quota()
		b := all[key]
		for _, p := range *t.plans.Load() {
			b.plans++
			b.needed += p.pages()
		}
		b.allowed = int(math.Floor(a.limiters[key].RequestsPerSecond() * time.Duration(a.config.PollInterval).Seconds()))
		all[key] = b
	}
	return all
}

// logBudget says the arithmetic of every quota whose number of plans has changed, or that fits no longer or again.
func (c *Collector) logBudget() {
	c.budgetsMu.Lock()
	defer c.budgetsMu.Unlock()
	applied := c.applied.Load()
	now := applied.budgets()
	for key, b := range now {
		old, known := c.budgets[key]
		if known && old.plans == b.plans && old.allowed == b.allowed && old.fits() == b.fits() {
			now[key] = old // what was said last
			continue
		}
		logger, msg := level.Info(c.logger), "API budget of a poll round"
		if !b.fits() {
			logger, msg = level.Warn(c.logger), "API budget is too small for a poll round, rounds will be skipped; raise poll_interval or requests_per_second, or use shards"
		}
		logger.Log("msg", msg, "account", key.account, "endpoint", key.endpoint, "plans", b.plans, "requests_needed", b.needed,
			"requests_allowed", b.allowed, "requests_per_second", applied.limiters[key].RequestsPerSecond(), "poll_interval", time.Duration(applied.config.PollInterval))
	}
	c.budgets = now
}
