package collector

import (
	"sync/atomic"
	"time"
)

// plan is a backup plan that is polled. One poll at a time writes to it; everybody else reads what it published.
type plan struct {
	id string
	// facts describe the plan; they are replaced when the configuration or discovery says something else.
	facts atomic.Pointer[planFacts]
	// state is what the polls have found so far.
	state   atomic.Pointer[planState]
	history history
	// round is the number of the poll round that the plan was last part of; it belongs to the target's loop.
	round uint64
}

// planFacts is what is known of a plan besides its downloads. It is not changed once it is published.
type planFacts struct {
	name          string
	databaseType  string
	maxSuccessAge time.Duration

	// discovered: the filters of discovery want the plan. It may be configured as well.
	discovered bool
	// status is the plan's own status, and autoDownload whether it downloads by itself; both are empty before discovery
	// has seen the plan.
	status       string
	autoDownload *bool
}

// planState is what polls have found. It is not changed once it is published.
type planState struct {
	polls, failures uint64
	// err is the outcome of the newest poll, which ended at endedAt.
	err      error
	endedAt  time.Time
	duration time.Duration
	// listing is that of the newest good poll, which ended at goodAt; nil before the first.
	listing *listing
	goodAt  time.Time
	// finished and failed count downloads that ended between polls.
	finished, failed uint64
}

func newPlan(id string, facts planFacts) *plan {
	p := &plan{id: id}
	p.facts.Store(&facts)
	p.state.Store(new(planState))
	return p
}

// pages returns how many requests the plan's next poll needs, if the list is as long as it was.
func (p *plan) pages() int {
	s := p.state.Load()
	if s.listing == nil {
		return 1
	}
	return max(1, (s.listing.rows+rowsPerPage-1)/rowsPerPage)
}

// rowsPerPage is what the API client asks for, the most that the API gives.
const rowsPerPage = 100

// polled tells whether a poll has ended.
func (s *planState) polled() bool { return s.polls > 0 }

// fresh tells whether the listing may still be published: it is there, and not too old because later polls failed.
func (s *planState) fresh(now time.Time, staleAfter time.Duration) bool {
	return s.listing != nil && (s.err == nil || now.Sub(s.goodAt) <= staleAfter)
}

// publishFailure ends a poll that failed. The last good listing stays.
func (p *plan) publishFailure(err error, took time.Duration, now time.Time) {
	next := *p.state.Load()
	next.polls++
	next.failures++
	next.err, next.endedAt, next.duration = err, now, took
	p.state.Store(&next)
}

// publish ends a good poll and returns what ended since the one before.
func (p *plan) publish(l *listing, tasks []task, took time.Duration, now time.Time) ended {
	e := p.history.update(tasks, now)
	next := *p.state.Load()
	next.polls++
	next.err, next.endedAt, next.duration = nil, now, took
	next.listing, next.goodAt = l, now
	next.finished += uint64(e.finished)
	next.failed += uint64(e.failed)
	p.state.Store(&next)
	return e
}
