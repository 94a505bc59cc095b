package schedule_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

// Plans that hang hold no more than half of the requests, so the one that
// answers is polled whenever it is due.
func TestHangingPlansBesideOneThatAnswers(t *testing.T) {
	for _, c := range []struct {
		atOnce  int
		every   time.Duration // of the plan that answers
		first   time.Duration // its first poll
		percent int           // of its due times after the first round
	}{
		{atOnce: 4, every: minute, first: 150 * time.Second, percent: 100},
		{atOnce: 2, every: minute, first: 300 * time.Second, percent: 100},
		{atOnce: 1, every: minute, first: 600 * time.Second, percent: 100},
		{atOnce: 1, every: 3 * time.Second, first: 600 * time.Second, percent: 55},
	} {
		t.Run(fmt.Sprintf("%d at once, every %s", c.atOnce, c.every), func(t *testing.T) {
			simulate(t, func(w *world) {
				w.groups[0].MaxConcurrent = c.atOnce
				hang := plans(40, "hangs", plan{pages: 1, hangs: hanging})
				good := plans(1, "well", plan{pages: 1, every: c.every, latency: quick})
				w.set(hang, good)
				w.until(11 * minute)
				began := len(good[0].starts)
				w.until(41 * minute)
				atMost(t, "first poll", good[0].starts[0], c.first)
				due := int(30 * minute / c.every)
				if got := len(good[0].starts) - began; got < due*c.percent/100 {
					t.Errorf("%d polls, want %d %% of %d", got, c.percent, due)
				}
				exactly(t, "failed", failures(good), 0)
			})
		})
	}
}

// A plan stays slow until three polls in a row were not, so plans that hang
// every other time count as slow all the time.
func TestPlansThatAlternateLeaveTheOthersAlone(t *testing.T) {
	simulate(t, func(w *world) {
		var requests atomic.Int64
		odd := plans(40, "odd", plan{pages: 1, latency: quick, hangs: func(time.Duration) bool {
			return requests.Add(1)%2 == 0
		}})
		good := plans(1, "well", plan{pages: 1, latency: quick})
		w.set(odd, good)
		w.until(10 * minute)
		began, before := len(good[0].starts), w.skipped(good)
		w.until(40 * minute)
		exactly(t, "polls of the healthy plan", len(good[0].starts)-began, 30)
		exactly(t, "skipped of the healthy plan", w.skipped(good), before)
	})
}

// If every plan is slow, they have all requests of the target.
func TestSlowAnswers(t *testing.T) {
	for _, c := range []struct {
		pages int
		gap   time.Duration
	}{
		{1, 325 * time.Second},
		{3, 480 * time.Second}, // cannot end in 30 s, and the failure says so
	} {
		t.Run(fmt.Sprintf("%d pages", c.pages), func(t *testing.T) {
			simulate(t, func(w *world) {
				p := plans(100, "slow", plan{pages: c.pages, latency: 12 * time.Second})
				w.set(p)
				w.until(60 * minute)
				_, _, gap := polls(p, 0)
				atMost(t, "gap", gap, c.gap)
				if c.pages == 1 {
					exactly(t, "failed", failures(p), 0)
				} else {
					w.everyPollFailed(p)
				}
			})
		})
	}
}

func (w *world) everyPollFailed(plans []*plan) {
	w.t.Helper()
	for _, p := range plans {
		if len(p.ends) > 0 || len(p.failed) == 0 {
			w.t.Errorf("%s: %d polls succeeded, %d failed", p.key, len(p.ends), len(p.failed))
		}
	}
}

func TestPlansRecover(t *testing.T) {
	for _, c := range []struct {
		name       string
		hang, well int
		seen       time.Duration
	}{
		{"one of many", 20, 180, 150 * time.Second},
		// A plan whose last failure began just before waits for its next due
		// time, up to one and a half intervals after that.
		{"a total outage", 41, 0, 90 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			simulate(t, func(w *world) {
				const back = 20 * minute
				hang := plans(c.hang, "hangs", plan{pages: 1, latency: quick, hangs: func(now time.Duration) bool { return now < back }})
				w.set(hang, plans(c.well, "well", plan{pages: 1, latency: quick}))
				w.until(back + 10*minute)
				atMost(t, "seen", w.listed(hang)-back, c.seen)
			})
		})
	}
}

// A pause of the server costs each plan the one poll that did not fit, no poll
// fails, and the pace after it is the usual one.
func TestPauseOfTheServer(t *testing.T) {
	simulate(t, func(w *world) {
		p := plans(200, "plan", plan{pages: 1, latency: quick})
		w.set(p)
		w.until(5 * minute)
		usual := w.latest(p, 10*minute)
		before := w.skipped(p)
		w.s.Pause("quota", "", minute)
		w.s.Pause("quota", "", time.Second)
		w.until(11*minute - 1)
		slots := len(w.slots)
		w.until(11*minute + 40*time.Second - 1)
		exactly(t, "requests in the 40 s after", len(w.slots)-slots, 200)
		w.until(15 * minute)
		atMost(t, "late from four minutes after", w.latest(p, 25*minute), usual+time.Second)
		for _, at := range w.slots {
			if at > 10*minute && at < 11*minute {
				t.Errorf("a request at %s, in the pause", at)
			}
		}
		exactly(t, "failed", failures(p), 0)
		exactly(t, "skipped", w.skipped(p)-before, uint64(len(p)))
	})
}

// A process that was stopped for ten minutes polls each plan once, not ten
// times.
func TestStandstill(t *testing.T) {
	simulate(t, func(w *world) {
		p := plans(100, "plan", plan{pages: 1, latency: quick})
		w.set(p)
		w.until(10 * minute)
		before := w.states(keys(p))
		w.s.StandStill(10 * minute)
		if err := w.s.Healthy(); err != nil {
			t.Errorf("after a standstill: %v", err)
		}
		w.until(11*minute + time.Second)
		for i, state := range w.states(keys(p)) {
			if n := state.Polls - before[i].Polls; n < 1 || n > 2 {
				t.Errorf("%s: %d polls in the minute after", p[i].key, n)
			}
			// The tenth is one whose next due time came within half an interval.
			if n := state.Skipped - before[i].Skipped; n != 9 && n != 10 {
				t.Errorf("%s: skipped %d, want 9 or 10", p[i].key, n)
			}
		}
		exactly(t, "failed", failures(p), 0)
	})
}
