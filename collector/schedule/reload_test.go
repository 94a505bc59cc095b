package schedule_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/collector/schedule"
)

func TestReloadAddsPlansAndShortensTheInterval(t *testing.T) {
	simulate(t, func(w *world) {
		p := plans(100, "plan", plan{pages: 1, every: 10 * minute, latency: quick})
		w.set(p)
		const reload = 25*minute + 7*time.Second
		w.until(reload)
		w.every(minute)
		added := plans(100, "added", plan{pages: 1, latency: quick})
		w.set(p, added)
		w.until(60 * minute)
		atMost(t, "added ones", w.listed(added)-reload, 95*time.Second)
		for _, p := range p {
			atMost(t, p.key, gapAfter(p, reload), 62*time.Second)
		}
		exactly(t, "skipped", w.skipped(p)+w.skipped(added), 0)
	})
}

// gapAfter returns the longest time without a start of the plan from then on.
func gapAfter(p *plan, from time.Duration) (gap time.Duration) {
	last := from
	for _, start := range p.starts {
		if start >= from {
			gap = max(gap, start-last)
			last = start
		}
	}
	return gap
}

// every changes the interval of all plans.
func (w *world) every(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.plans {
		p.every = d
	}
	w.apply()
}

// A longer interval counts from the next due time of the shorter one, which
// comes first. Earlier skips stay, and nothing is skipped because of
// the change, however often it happens.
func TestIntervalsThatChangeSkipNothing(t *testing.T) {
	simulate(t, func(w *world) {
		p := plans(20, "plan", plan{pages: 1, latency: quick})
		w.set(p)
		at := 5 * minute
		for i := range 20 {
			w.until(at)
			w.every([]time.Duration{10 * minute, minute}[i%2])
			at += 97 * time.Second
		}
		w.until(60 * minute)
		exactly(t, "skipped", w.skipped(p), 0)
		for _, p := range p {
			atMost(t, p.key, gapAfter(p, 5*minute), 97*time.Second+minute)
		}
	})
}

// An interval that gets shorter during a slow poll was not due at the points of
// the new grid before, and the poll may go on.
func TestShorterIntervalDuringASlowPoll(t *testing.T) {
	simulate(t, func(w *world) {
		p := plans(1, "plan", plan{pages: 8, every: time.Hour, latency: 3 * time.Second})
		w.set(p)
		w.until(20 * time.Second)
		w.every(10 * time.Second)
		if err := w.s.Healthy(); err != nil {
			t.Error(err)
		}
		w.until(24 * time.Second)
		state := w.states(keys(p))[0]
		exactly(t, "skipped", state.Skipped, 0)
		exactly(t, "late", state.Late, 0)
		exactly(t, "polls", state.Polls, 1)
		w.until(35 * time.Second)
		exactly(t, "polls", w.states(keys(p))[0].Polls, 2)
	})
}

// A starving plan keeps its count of skips when its interval changes, and the
// old grid adds nothing from then on.
func TestSkippedStaysOverAChangeOfInterval(t *testing.T) {
	simulate(t, func(w *world) {
		p := plans(1, "plan", plan{pages: 1, latency: quick})
		w.set(p)
		w.until(5 * minute)
		due := w.states(keys(p))[0].Due.Sub(w.start)
		w.s.Pause("quota", "", time.Hour)
		for n := range 4 {
			w.until(due + time.Duration(n)*minute)
			exactly(t, fmt.Sprintf("skipped %d intervals after the due time", n), w.skipped(p), uint64(n))
		}
		w.every(time.Hour)
		w.until(due + 30*minute)
		state := w.states(keys(p))[0]
		if state.Skipped < 3 || state.Skipped > 4 { // a point of the new grid may lie in between
			t.Errorf("skipped %d, want 3 or 4", state.Skipped)
		}
		exactly(t, "due", state.Due.Sub(w.start), due)
	})
}

// Points of a shorter interval count from the change on.
func TestShorterIntervalWhileOverdue(t *testing.T) {
	simulate(t, func(w *world) {
		p := plans(1, "plan", plan{pages: 1, every: time.Hour, latency: quick})
		w.set(p)
		w.until(minute)
		due := w.states(keys(p))[0].Due.Sub(w.start)
		w.s.Pause("quota", "", 100*time.Hour)
		w.until(due + 30*minute)
		w.every(minute)
		exactly(t, "skipped at the change", w.skipped(p), 0)
		w.until(due + 35*minute)
		exactly(t, "skipped five minutes later", w.skipped(p), 5)
		exactly(t, "late", w.states(keys(p))[0].Late, 35*minute)
	})
}

func TestRemovedJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		stubborn := func(key string) schedule.Job {
			return schedule.Job{Key: key, Action: "Tasks", Run: func(ctx context.Context, turns *schedule.Turns) schedule.Outcome {
				end, err := turns.Wait(ctx, "Tasks")
				if err != nil {
					t.Error(err)
					return schedule.Outcome{}
				}
				defer end()
				j.note(key + " begins")
				<-ctx.Done()
				j.note(key + " is canceled")
				time.Sleep(5 * time.Second)
				j.note(key + " ends")
				return schedule.Outcome{}
			}}
		}
		s := start(t, 1, 1, stubborn("a"), stubborn("waits"))
		time.Sleep(2500 * time.Millisecond)
		setJobs(s, 1, 2, asks(j, "b", "Tasks"))
		exactly(t, "state of a removed job", states(s, "a")[0], schedule.JobState{})
		time.Sleep(time.Second)
		// It comes back while its old run goes on: never two at once.
		setJobs(s, 1, 2, asks(j, "a", "Tasks"), asks(j, "b", "Tasks"))
		exactly(t, "polls", states(s, "a")[0].Polls, 0)
		time.Sleep(10 * time.Second)
		j.expect(t, "0s a begins", "2.5s a is canceled", "2.5s b Tasks", "7.5s a ends", "7.5s a Tasks")
	})
}

// A job that waits goes on to wait in its new group, at its limit.
func TestJobMovesToAnotherGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		s := start(t, 10, 1, asks(j, "a", "Tasks", "Tasks"), asks(j, "b", "Tasks"))
		time.Sleep(500 * time.Millisecond)
		a, b := asks(j, "a", "Tasks"), asks(j, "b", "Tasks")
		a.Every, b.Every = minute, minute
		a.Group, b.Group = "target", "other"
		s.Set([]schedule.Quota{{Key: "quota", RequestsPerSecond: 10}},
			[]schedule.Group{{Key: "target", Quota: "quota", MaxConcurrent: 1}, {Key: "other", Quota: "quota", MaxConcurrent: 1}},
			[]schedule.Job{a, b})
		time.Sleep(10 * time.Second)
		j.expect(t, "0s a Tasks", "500ms b Tasks", "1s a Tasks")
	})
}

func TestSetRefusesWhatCannotRun(t *testing.T) {
	quota := schedule.Quota{Key: "quota", RequestsPerSecond: 1}
	group := schedule.Group{Key: "group", Quota: "quota", MaxConcurrent: 1}
	for _, c := range []struct {
		name  string
		quota schedule.Quota
		group schedule.Group
		job   schedule.Job
	}{
		{"no pace", schedule.Quota{Key: "quota"}, group, schedule.Job{Group: "group", Every: minute}},
		{"no quota", quota, schedule.Group{Key: "group", MaxConcurrent: 1}, schedule.Job{Group: "group", Every: minute}},
		{"no requests", quota, schedule.Group{Key: "group", Quota: "quota"}, schedule.Job{Group: "group", Every: minute}},
		{"no group", quota, group, schedule.Job{Every: minute}},
		{"no interval", quota, group, schedule.Job{Group: "group"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			schedule.New().Set([]schedule.Quota{c.quota}, []schedule.Group{c.group}, []schedule.Job{c.job})
		})
	}
}

// Each job once, long first listings twice, and what a job adds meanwhile too.
func TestRunOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		short := plans(3, "short", plan{pages: 1, every: time.Second, latency: quick})
		long := plans(2, "long", plan{pages: 12, every: time.Second, latency: quick})
		found := plans(2, "found", plan{pages: 1, latency: quick, hangs: hanging})
		w.set(short, long)
		added := false
		w.after = func() {
			if !added {
				added = true
				w.set(short, long, found)
			}
		}
		w.s.RunOnce(t.Context())
		for _, p := range w.plans {
			exactly(t, p.key+": polls", len(p.starts), 1)
		}
		exactly(t, "deferred", long[0].defers+long[1].defers, 2)
		w.checkSlots()
		exactly(t, "requests", len(w.slots), 3+2*13+2)
		for _, state := range w.states(keys(w.plans)) {
			exactly(t, "tried", state.Tried, true)
			exactly(t, "running", state.Running, false)
		}
	})
}

func TestRunOnceEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := plans(10, "plan", plan{pages: 1, hangs: hanging})
		w.set(p)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		w.s.RunOnce(ctx)
		exactly(t, "took", w.now(), 5*time.Second)
	})
}

func TestRunOnceWithoutJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		schedule.New().RunOnce(t.Context())
	})
}
