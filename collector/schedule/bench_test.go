package schedule_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"aliyun_dbs_exporter/collector/schedule"
)

// BenchmarkSlot is the cost of one granted slot while 10,000 jobs wait, with
// the goroutine of its run: the pace allows more than the machine can do.
func BenchmarkSlot(b *testing.B) {
	for _, groups := range []int{1, 60} {
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			s := schedule.New()
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			var left atomic.Int64
			left.Store(int64(b.N))
			run := func(ctx context.Context, turns *schedule.Turns) schedule.Outcome {
				if end, err := turns.Wait(ctx, action); err == nil {
					end()
				}
				if left.Add(-1) == 0 {
					cancel()
				}
				return schedule.Outcome{Answered: true}
			}
			var g []schedule.Group
			for i := range groups {
				g = append(g, schedule.Group{Key: fmt.Sprint(i), Quota: "quota", MaxConcurrent: 50})
			}
			jobs := make([]schedule.Job, 10_000)
			for i := range jobs {
				jobs[i] = schedule.Job{
					Key: fmt.Sprintf("plan-%05d", i), Group: fmt.Sprint(i % groups),
					Action: action, Every: time.Microsecond, Run: run,
				}
			}
			s.Set([]schedule.Quota{{Key: "quota", RequestsPerSecond: 1e9}}, g, jobs)
			b.ResetTimer()
			s.Run(ctx)
		})
	}
}

// BenchmarkState is what a scrape of 5,000 plans asks.
func BenchmarkState(b *testing.B) {
	s := schedule.New()
	var jobs []schedule.Job
	var keys []string
	for i := range 5000 {
		key := fmt.Sprintf("plan-%05d", i)
		keys = append(keys, key)
		jobs = append(jobs, schedule.Job{Key: key, Group: "group", Every: time.Minute})
	}
	s.Set([]schedule.Quota{{Key: "quota", RequestsPerSecond: 5}}, []schedule.Group{{Key: "group", Quota: "quota", MaxConcurrent: 4}}, jobs)
	for b.Loop() {
		s.State("", keys)
	}
}
