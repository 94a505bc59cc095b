package schedule_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"aliyun_dbs_exporter/collector/schedule"
)

// forSeeds runs f with random loads that are the same each time.
func forSeeds(t *testing.T, n uint64, f func(w *world, random *rand.Rand)) {
	t.Helper()
	for seed := range n {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			simulate(t, func(w *world) {
				f(w, rand.New(rand.NewPCG(seed, 0)))
			})
		})
	}
}

// between returns a random duration.
func between(random *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(random.Int64N(int64(to-from)))
}

// checkAccount reports plans whose due times do not add up: each was served by
// a start, was skipped, or is pending.
func (w *world) checkAccount(plans []*plan) {
	w.t.Helper()
	for i, state := range w.states(keys(plans)) {
		p := plans[i]
		if !state.Tried {
			continue
		}
		due := state.Due.Sub(w.start)
		phase := due % p.every
		first := p.starts[0] + p.every/2
		first += (phase - first%p.every + p.every) % p.every
		passed := uint64((due - first) / p.every) // before the one that is next or pending
		skipped := state.Skipped
		if now := w.now(); due <= now {
			skipped -= uint64((now - due) / p.every)
		}
		if served := uint64(len(p.starts) - 1); served+skipped != passed {
			w.t.Errorf("%s: %d starts after the first and %d skipped, want %d together", p.key, served, skipped, passed)
		}
	}
}

// Limits hold, due times add up, and no poll fails because of our own queue,
// under any load, with faults and with pauses of the server.
func TestLimitsAndAccountsHold(t *testing.T) {
	forSeeds(t, 20, func(w *world, random *rand.Rand) {
		w.shares = true
		w.rate = []float64{1, 3, 5, 20}[random.IntN(4)]
		w.groups = nil
		var good, all []*plan
		for g := range 1 + random.IntN(4) {
			name := fmt.Sprint("group-", g)
			w.groups = append(w.groups, schedule.Group{Key: name, Quota: "quota", MaxConcurrent: 1 + random.IntN(6)})
			for n := range 1 + random.IntN(60) {
				p := &plan{
					key: fmt.Sprintf("%s/%d", name, n), group: name,
					every:   []time.Duration{20 * time.Second, minute, 5 * minute}[random.IntN(3)],
					pages:   1 + random.IntN(1+random.IntN(30)),
					latency: between(random, 10*time.Millisecond, 400*time.Millisecond),
					list:    random.IntN(10) == 0,
				}
				if odds := random.IntN(5); n > 0 && odds < 2 {
					p.hangs = func(now time.Duration) bool { return odds == 0 || int64(now/minute)%3 == 0 }
				} else {
					good = append(good, p)
				}
				all = append(all, p)
			}
		}
		w.set(all)
		for range 5 {
			w.until(w.now() + between(random, minute, 8*minute))
			w.checkAccount(all)
			action := []string{"", action, "another"}[random.IntN(3)]
			w.s.Pause("quota", action, between(random, time.Second, 3*minute))
			if err := w.s.Healthy(); err != nil {
				w.t.Error(err)
			}
		}
		exactly(w.t, "failed", failures(good), 0)
	})
}

// Up to 70 % of the pace and of the half of the requests that slow plans leave:
// plans that hang cost the others nothing.
func TestNoSkipsWithinTheLimits(t *testing.T) {
	forSeeds(t, 12, func(w *world, random *rand.Rand) {
		latency := between(random, 10*time.Millisecond, 500*time.Millisecond)
		perMinute := 0.7 * min(5*60, 2*60/latency.Seconds())
		var good, hang []*plan
		for n := 0; perMinute > 0; n++ {
			p := &plan{key: fmt.Sprintf("plan-%d", n), pages: 1 + random.IntN(4), latency: latency}
			perMinute -= float64(p.pages)
			if n%10 == 9 {
				p.hangs = hanging
				hang = append(hang, p)
			} else {
				good = append(good, p)
			}
		}
		w.set(good, hang)
		w.until(10 * minute)
		w.listed(good)
		before := w.skipped(good)
		w.until(40 * minute)
		exactly(w.t, "skipped", w.skipped(good)-before, 0)
		exactly(w.t, "failed", failures(good), 0)
	})
}

// In overload, plans with the same interval get the same number of polls.
func TestOverloadIsFair(t *testing.T) {
	forSeeds(t, 6, func(w *world, random *rand.Rand) {
		load := 1.05 + 2*random.Float64()
		var all []*plan
		for requests := 0; float64(requests) < load*300; {
			p := &plan{key: fmt.Sprintf("%x", random.Uint64()), pages: 1 + random.IntN(3), latency: quick}
			requests += p.pages
			all = append(all, p)
		}
		w.set(all)
		w.until(70 * minute)
		fewest, most, _ := polls(all, 10*minute)
		// A poll at either edge belongs to the time for some plans only.
		if float64(most-1) > 1.15*float64(fewest) {
			w.t.Errorf("%d plans, load %.2f: fewest %d polls, most %d", len(all), load, fewest, most)
		}
	})
}
