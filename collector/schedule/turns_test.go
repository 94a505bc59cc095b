package schedule_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/collector/schedule"
)

// start runs a scheduler with one quota and one group of these jobs until the
// bubble ends.
func start(t *testing.T, rate float64, atOnce int, jobs ...schedule.Job) *schedule.Scheduler {
	t.Helper()
	s := schedule.New()
	setJobs(s, rate, atOnce, jobs...)
	run(t, s)
	return s
}

// run runs a scheduler until the bubble ends.
func run(t *testing.T, s *schedule.Scheduler) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
}

func setJobs(s *schedule.Scheduler, rate float64, atOnce int, jobs ...schedule.Job) {
	for i := range jobs {
		jobs[i].Group = "target"
		if jobs[i].Every == 0 {
			jobs[i].Every = minute
		}
	}
	s.Set([]schedule.Quota{{Key: "quota", RequestsPerSecond: rate}},
		[]schedule.Group{{Key: "target", Quota: "quota", MaxConcurrent: atOnce}}, jobs)
}

// journal notes what happened when.
type journal struct {
	mu    sync.Mutex
	start time.Time
	lines []string
}

func newJournal() *journal { return &journal{start: time.Now()} }

func (j *journal) note(what string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, time.Since(j.start).String()+" "+what)
}

// expect compares what was noted. The order within one instant does not count.
func (j *journal) expect(t *testing.T, want ...string) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	slices.Sort(j.lines)
	slices.Sort(want)
	if !slices.Equal(j.lines, want) {
		t.Errorf("got\n%q, want\n%q", j.lines, want)
	}
}

// asks returns a job that sends these requests, a second each, and notes them.
func asks(j *journal, key string, actions ...string) schedule.Job {
	return schedule.Job{Key: key, Action: actions[0], Run: func(ctx context.Context, turns *schedule.Turns) schedule.Outcome {
		for _, action := range actions {
			end, err := turns.Wait(ctx, action)
			if err != nil {
				j.note(key + " " + err.Error())
				return schedule.Outcome{}
			}
			j.note(key + " " + action)
			time.Sleep(time.Second)
			end()
		}
		return schedule.Outcome{Answered: true}
	}}
}

func TestPollsThatHaveBegunWinTies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		list := asks(j, "z-list", "List", "List")
		list.List = true
		start(t, 1, 1, asks(j, "a", "Tasks", "Tasks"), asks(j, "b", "Tasks"), list)
		time.Sleep(10 * time.Second)
		j.expect(t,
			"0s a Tasks", // first listings and others take turns
			"1s z-list List", "2s a Tasks", "3s z-list List", "4s b Tasks")
	})
}

func TestPauseOfOneAction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		s := schedule.New()
		setJobs(s, 1, 4, asks(j, "a", "Tasks", "Sets", "Tasks"), asks(j, "b", "Tasks"))
		s.Pause("quota", "Sets", 20*time.Second)
		s.Pause("quota", "Sets", time.Second)  // shortens nothing
		s.Pause("another", "", 20*time.Second) // nobody's
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
		defer cancel()
		s.Run(ctx)
		j.expect(t, "0s a Tasks", "1s b Tasks", "20s a Sets", "21s a Tasks")
	})
}

// A pause outlives a reload, and a job whose first action is paused does not
// begin.
func TestPauseOutlivesSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		s := start(t, 1, 4, asks(j, "a", "Tasks"))
		time.Sleep(time.Second)
		s.Pause("quota", "Tasks", 9*time.Second)
		setJobs(s, 1, 4, asks(j, "b", "Tasks"))
		time.Sleep(20 * time.Second)
		j.expect(t, "0s a Tasks", "10s b Tasks")
	})
}

func TestWaitEndsWithEitherContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gaveUp := errors.New("gave up")
		j := newJournal()
		impatient := schedule.Job{Key: "impatient", Action: "Tasks", Run: func(ctx context.Context, turns *schedule.Turns) schedule.Outcome {
			end, err := turns.Wait(ctx, "Tasks")
			if err != nil {
				t.Error(err)
				return schedule.Outcome{}
			}
			if _, err = turns.Wait(ctx, "Tasks"); err == nil {
				t.Error("two turns at once")
			}
			end()
			end() // has no effect
			limited, cancel := context.WithTimeoutCause(ctx, 5*time.Second, gaveUp)
			defer cancel()
			_, err = turns.Wait(limited, "Paused")
			if !errors.Is(err, gaveUp) {
				t.Errorf("got %v, want the cause of the context", err)
			}
			j.note("gave up")
			_, err = turns.Wait(ctx, "Paused")
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want %v", err, context.Canceled)
			}
			j.note("removed")
			return schedule.Outcome{}
		}}
		s := schedule.New()
		setJobs(s, 1, 1, impatient)
		s.Pause("quota", "Paused", time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.Run(ctx) })
		time.Sleep(10 * time.Second)
		// One request at a time: the next job shows that no turn was lost.
		setJobs(s, 1, 1, asks(j, "next", "Tasks"))
		time.Sleep(10 * time.Second)
		cancel()
		running.Wait()
		j.expect(t, "5s gave up", "10s removed", "10s next Tasks")
	})
}

// A timer that fires late costs no pace, and a standstill no burst.
func TestPaceAfterALateTimer(t *testing.T) {
	for _, c := range []struct {
		late time.Duration
		want []string
	}{
		{60 * time.Millisecond, []string{"0s a Tasks", "80ms b Tasks", "140ms c Tasks"}},
		{minute, []string{"0s a Tasks", "80ms b Tasks", "180ms c Tasks"}},
	} {
		t.Run(c.late.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				s := start(t, 10, 4, asks(j, "a", "Tasks"), asks(j, "b", "Tasks"), asks(j, "c", "Tasks"))
				time.Sleep(80 * time.Millisecond)
				s.StandStill(c.late)
				time.Sleep(800 * time.Millisecond)
				j.expect(t, c.want...)
			})
		})
	}
}

// A run that ends with its turn in hand gives it back.
func TestForgottenTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		forgets := schedule.Job{Key: "a", Action: "Tasks", Run: func(ctx context.Context, turns *schedule.Turns) schedule.Outcome {
			if _, err := turns.Wait(ctx, "Tasks"); err != nil {
				t.Error(err)
			}
			time.Sleep(3 * time.Second)
			return schedule.Outcome{}
		}}
		start(t, 1, 1, forgets, asks(j, "b", "Tasks"))
		time.Sleep(10 * time.Second)
		j.expect(t, "3s b Tasks")
	})
}

// Only a plan's first listing of more than ten pages is deferred, and once.
func TestDefer(t *testing.T) {
	for _, c := range []struct {
		name  string
		pages int
		list  bool
		want  []bool // what Defer answered, run after run
	}{
		{"ten pages", 10, false, []bool{false, false}},
		{"eleven pages", 11, false, []bool{true, false, false}},
		{"a list", 100, true, []bool{false, false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var got []bool
				s := start(t, 5, 4, schedule.Job{
					Key: "a", Action: "Tasks", List: c.list, Every: minute,
					Run: func(ctx context.Context, turns *schedule.Turns) schedule.Outcome {
						end, _ := turns.Wait(ctx, "Tasks")
						end()
						answer := turns.Defer(c.pages)
						mu.Lock()
						defer mu.Unlock()
						got = append(got, answer)
						return schedule.Outcome{Answered: true, Deferred: answer}
					},
				})
				time.Sleep(2*minute - time.Second)
				synctest.Wait()
				mu.Lock()
				defer mu.Unlock()
				if !slices.Equal(got, c.want) {
					t.Errorf("got %v, want %v", got, c.want)
				}
				exactly(t, "polls", states(s, "a")[0].Polls, 2)
			})
		})
	}
}

func TestDeferredListingsStartAgainTheShortestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		long := func(key string, pages int) schedule.Job {
			return schedule.Job{Key: key, Action: "Tasks", Run: func(ctx context.Context, turns *schedule.Turns) schedule.Outcome {
				end, _ := turns.Wait(ctx, "Tasks")
				j.note(key)
				end()
				return schedule.Outcome{Answered: true, Deferred: turns.Defer(pages)}
			}}
		}
		start(t, 1, 4, long("a", 30), long("b", 20), long("c", 25), asks(j, "d", "Tasks"))
		time.Sleep(10 * time.Second)
		j.expect(t, "0s a", "1s b", "2s c", "3s d Tasks", "4s b", "5s c", "6s a")
	})
}

// A job is slow from the poll with a request of over five seconds until three
// in a row had none. Until it answers it gets a single short attempt as well.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		polls := []struct {
			takes    time.Duration
			timedOut bool
			answered bool
			short    bool // what Slow reports during the poll
			slow     bool // what the state says after it
		}{
			{takes: time.Second, short: true},
			{takes: 5 * time.Second, answered: true, short: true},
			{takes: 5*time.Second + 1, answered: true, slow: true},
			{takes: time.Second, answered: true, short: true, slow: true},
			{takes: time.Second, answered: true, short: true, slow: true},
			{takes: time.Second, timedOut: true, short: true, slow: true},
			{takes: time.Second, answered: true, short: true, slow: true},
			{takes: time.Second, answered: true, short: true, slow: true},
			{takes: time.Second, answered: true, short: true},
			{takes: time.Second, answered: true},
		}
		var ended atomic.Int64
		s := start(t, 5, 4, schedule.Job{Key: "a", Action: "Tasks", Run: func(ctx context.Context, turns *schedule.Turns) schedule.Outcome {
			n := ended.Load()
			if n == int64(len(polls)) {
				return schedule.Outcome{}
			}
			poll := polls[n]
			if turns.Slow() != poll.short {
				t.Errorf("poll %d: Slow reports %v", n, turns.Slow())
			}
			end, _ := turns.Wait(ctx, "Tasks")
			time.Sleep(poll.takes)
			end()
			ended.Add(1)
			return schedule.Outcome{Answered: poll.answered, TimedOut: poll.timedOut}
		}})
		for n, poll := range polls {
			for ended.Load() == int64(n) {
				time.Sleep(time.Second)
				synctest.Wait()
			}
			if state := states(s, "a")[0]; state.Slow != poll.slow {
				t.Errorf("after poll %d: slow %v", n, state.Slow)
			}
		}
	})
}
