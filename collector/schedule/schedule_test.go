package schedule_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/collector/schedule"
)

func TestEveryJobRunsAtItsInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := schedule.New()
		start := time.Now()
		var starts []time.Duration
		s.Set(
			[]schedule.Quota{{Key: "q", RequestsPerSecond: 5}},
			[]schedule.Group{{Key: "g", Quota: "q", MaxConcurrent: 4}},
			[]schedule.Job{{Key: "a", Group: "g", Every: time.Minute, Run: func(ctx context.Context, turns *schedule.Turns) schedule.Outcome {
				starts = append(starts, time.Since(start))
				for range 3 {
					end, err := turns.Wait(ctx, "List")
					if err != nil {
						return schedule.Outcome{}
					}
					time.Sleep(time.Second)
					end()
				}
				return schedule.Outcome{Answered: true}
			}}})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		s.Run(ctx)
		if len(starts) != 10 {
			t.Errorf("%d starts in ten minutes: %v", len(starts), starts)
		}
	})
}

// Jobs that are due at the same moment share a wake-up of the process.
func TestDueTimesAreSpreadInQuartersOfASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const first = 10 * time.Second // first polls are on no grid
		var jobs []schedule.Job
		begin := time.Now()
		var mu sync.Mutex
		together := make(map[time.Duration]int)
		for i := range 1000 {
			jobs = append(jobs, schedule.Job{Key: fmt.Sprint(i), Action: action, Run: func(context.Context, *schedule.Turns) schedule.Outcome {
				mu.Lock()
				defer mu.Unlock()
				if at := time.Since(begin).Truncate(time.Millisecond); at > first {
					together[at]++
				}
				return schedule.Outcome{Answered: true}
			}})
		}
		start(t, 1e9, len(jobs), jobs...)
		time.Sleep(first + time.Minute)
		mu.Lock()
		defer mu.Unlock()
		for at, n := range together {
			if at%(250*time.Millisecond) != 0 || n > 20 {
				t.Errorf("%d polls at %v, want a few at every quarter of a second", n, at)
			}
		}
		if len(together) < 120 {
			t.Errorf("polls at %d moments of a minute, want most of 240", len(together))
		}
	})
}
