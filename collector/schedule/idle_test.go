package schedule_test

import (
	"testing"
	"time"
)

// A plan whose polls end idle is polled in the longer interval, over reloads too,
// and in the other one as soon as a poll does not.
func TestIdleJobs(t *testing.T) {
	simulate(t, func(w *world) {
		p := plans(20, "plan", plan{pages: 1, latency: quick, idle: 10 * minute, isIdle: true})
		count := func(from, until time.Duration) (fewest, most int) {
			w.until(until)
			fewest, most, _ = polls(p, from)
			return fewest, most
		}
		w.set(p)
		w.until(20 * minute)
		fewest, most := count(20*minute, 80*minute)
		exactly(t, "fewest polls of idle plans in an hour", fewest, 6)
		exactly(t, "most polls of idle plans in an hour", most, 6)
		w.apply()
		fewest, most = count(80*minute, 140*minute)
		exactly(t, "fewest polls after a reload", fewest, 6)
		exactly(t, "most polls after a reload", most, 6)
		w.mu.Lock()
		for _, p := range p {
			p.isIdle = false
		}
		w.mu.Unlock()
		w.until(151 * minute) // one more poll in the longer interval
		fewest, most = count(151*minute, 211*minute)
		exactly(t, "fewest polls of plans that are not idle", fewest, 60)
		exactly(t, "most polls of plans that are not idle", most, 60)
		exactly(t, "skipped", w.skipped(p), 0)
	})
}
