package schedule_test

import (
	"context"
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
