package schedule_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/collector/schedule"
)

// A quota keeps its pace and its pauses while reloads drop it and name it again.
func TestRetiredQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := schedule.New()
		var mu sync.Mutex
		counts := map[string]int{}
		sent := func(quota string) int {
			mu.Lock()
			defer mu.Unlock()
			return counts[quota]
		}
		set := func(quota string) {
			s.Set(
				[]schedule.Quota{{Key: quota, RequestsPerSecond: .2}},
				[]schedule.Group{{Key: "target", Quota: quota, MaxConcurrent: 1}},
				[]schedule.Job{{Key: quota, Group: "target", Action: "Tasks", Every: time.Second, Run: func(ctx context.Context, turns *schedule.Turns) schedule.Outcome {
					if end, err := turns.Wait(ctx, "Tasks"); err == nil {
						mu.Lock()
						counts[quota]++
						mu.Unlock()
						end()
					}
					return schedule.Outcome{Answered: true}
				}}},
			)
		}
		set("a")
		go s.Run(t.Context())
		for i := range 40 {
			time.Sleep(250 * time.Millisecond)
			set([]string{"b", "a"}[i%2])
			synctest.Wait()
		}
		// Ten seconds are two slots and the first one.
		if a, b := sent("a"), sent("b"); a > 3 || b > 3 || a+b < 4 {
			t.Errorf("requests in 10 s at one in 5 s: %d and %d", a, b)
		}
		set("a")
		s.Pause("a", "", time.Minute)
		set("b")
		s.Pause("a", "", 2*time.Minute) // a request that was under way is answered
		before := sent("a")
		set("a")
		time.Sleep(2*time.Minute - time.Second)
		synctest.Wait()
		if sent("a") != before {
			t.Errorf("%d requests were sent in a pause that a reload has seen", sent("a")-before)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if sent("a") == before {
			t.Error("no request was sent after the pause")
		}
	})
}

// The smallest rates are a pace, too.
func TestTinyRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, rate := range []float64{1e-9, 1e-10, 1e-300} {
			s := schedule.New()
			sent := 0
			s.Set(
				[]schedule.Quota{{Key: "quota", RequestsPerSecond: rate}},
				[]schedule.Group{{Key: "target", Quota: "quota", MaxConcurrent: 1}},
				[]schedule.Job{{Key: "a", Group: "target", Every: time.Second, Run: func(context.Context, *schedule.Turns) schedule.Outcome {
					sent++
					return schedule.Outcome{Answered: true}
				}}},
			)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Hour)
			s.Run(ctx)
			cancel()
			if sent != 1 {
				t.Errorf("%d requests at %g a second in ten hours", sent, rate)
			}
		}
	})
}

// The due times that a removed job skipped stay in the counter of its group.
func TestSkippedByRemovedJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := schedule.New()
		hang := func(ctx context.Context, _ *schedule.Turns) schedule.Outcome {
			select {
			case <-time.After(10*time.Minute + time.Second):
			case <-ctx.Done():
			}
			return schedule.Outcome{}
		}
		set := func(keys ...string) {
			var jobs []schedule.Job
			for _, key := range keys {
				jobs = append(jobs, schedule.Job{Key: key, Group: "target", List: key == "list", Every: time.Minute, Run: hang})
			}
			s.Set([]schedule.Quota{{Key: "quota", RequestsPerSecond: 1}}, []schedule.Group{{Key: "target", Quota: "quota", MaxConcurrent: 9}}, jobs)
		}
		keys := []string{"a", "b", "list"}
		skipped := func() uint64 {
			states, gone := s.State("target", keys)
			return gone + states[0].Skipped + states[1].Skipped
		}
		set("a", "b", "list")
		go s.Run(t.Context())
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		before := skipped()
		if before == 0 {
			t.Fatal("polls of ten minutes skip nothing at an interval of one")
		}
		set("b")
		exactly(t, "skipped after a job was removed", skipped(), before)
		set("a", "b", "list")
		exactly(t, "skipped after it came back", skipped(), before)
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		if now := skipped(); now <= before {
			t.Errorf("%d skipped polls became %d", before, now)
		}
	})
}

// A run may take what its job allowed when it began, whatever a reload says
// meanwhile.
func TestLimitOfRunningJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := schedule.New()
		set := func(limit time.Duration) {
			s.Set(
				[]schedule.Quota{{Key: "quota", RequestsPerSecond: 1}},
				[]schedule.Group{{Key: "target", Quota: "quota", MaxConcurrent: 1}},
				[]schedule.Job{{Key: "a", Group: "target", Every: time.Hour, Limit: limit, Run: func(ctx context.Context, _ *schedule.Turns) schedule.Outcome {
					<-ctx.Done()
					return schedule.Outcome{}
				}}},
			)
		}
		set(10 * time.Minute)
		go s.Run(t.Context())
		time.Sleep(time.Minute)
		set(10 * time.Second)
		time.Sleep(8 * time.Minute)
		if err := s.Healthy(); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Minute)
		if s.Healthy() == nil {
			t.Error("a run beyond its own limit is healthy")
		}
	})
}

// A run whose job moves to another quota ends at once: it would ask the old server
// in spite of a pause.
func TestRunOfAnotherQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := schedule.New(), newJournal()
		set := func(quota string) {
			s.Set(
				[]schedule.Quota{{Key: quota, RequestsPerSecond: 1}},
				[]schedule.Group{{Key: "target", Quota: quota, MaxConcurrent: 1}},
				[]schedule.Job{{Key: "a", Group: "target", Action: "Tasks", Every: time.Minute, Run: func(ctx context.Context, turns *schedule.Turns) schedule.Outcome {
					for range 3 { // pages of 2 s
						end, err := turns.Wait(ctx, "Tasks")
						if err != nil {
							return schedule.Outcome{}
						}
						log.note(quota)
						select {
						case <-time.After(2 * time.Second):
						case <-ctx.Done():
						}
						end()
					}
					return schedule.Outcome{Answered: true}
				}}},
			)
		}
		set("old")
		go s.Run(t.Context())
		time.Sleep(2500 * time.Millisecond)
		synctest.Wait()
		set("new")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		log.expect(t, "0s old", "2s old", "2.5s new", "4.5s new", "6.5s new")
		states, _ := s.State("target", []string{"a"})
		if states[0].Running || !states[0].Tried {
			t.Errorf("afterwards the job is %+v", states[0])
		}
	})
}
