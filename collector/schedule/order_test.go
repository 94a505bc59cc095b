package schedule_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/collector/schedule"
)

// repeats returns a job whose polls are one request of this latency each.
func repeats(j *journal, key string, every, latency time.Duration) schedule.Job {
	return schedule.Job{Key: key, Action: "Tasks", Every: every, Run: func(ctx context.Context, turns *schedule.Turns) schedule.Outcome {
		end, err := turns.Wait(ctx, "Tasks")
		if err != nil {
			return schedule.Outcome{}
		}
		j.note(key)
		time.Sleep(latency)
		end()
		return schedule.Outcome{Answered: true}
	}}
}

func TestSlowJobsComeAfterFirstListings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		slow := repeats(j, "slow", minute, 6*time.Second)
		s := start(t, 1, 4, slow)
		time.Sleep(10 * time.Second)
		s.Pause("quota", "", 5*minute-10*time.Second) // it is overdue then
		time.Sleep(minute)
		setJobs(s, 1, 4, slow, asks(j, "a", "Tasks"), asks(j, "b", "Tasks"))
		time.Sleep(4*minute + 15*time.Second)
		j.expect(t, "0s slow", "5m0s a Tasks", "5m1s b Tasks", "5m2s slow")
	})
}

// A deferred first listing whose first page was slow does not wait until no
// other slow job is due.
func TestSlowDeferredListingIsNotStarved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var listed bool
		j := newJournal()
		long := schedule.Job{Key: "long", Action: "Tasks", Run: func(ctx context.Context, turns *schedule.Turns) schedule.Outcome {
			end, err := turns.Wait(ctx, "Tasks")
			if err != nil {
				return schedule.Outcome{}
			}
			time.Sleep(6 * time.Second)
			end()
			deferred := turns.Defer(20)
			listed = listed || !deferred
			return schedule.Outcome{Answered: true, Deferred: deferred}
		}}
		start(t, 1, 1, long, repeats(j, "a", 5*time.Second, 6*time.Second), repeats(j, "b", 5*time.Second, 6*time.Second))
		time.Sleep(minute)
		synctest.Wait()
		exactly(t, "listed within a minute", listed, true)
	})
}

// A run that gives up waiting loses no turn, not even one that is granted at the
// same moment.
func TestGivingUpLosesNoTurn(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			j := newJournal()
			impatient := schedule.Job{Key: "a", Action: "Tasks", Every: 24 * time.Hour, Run: func(ctx context.Context, turns *schedule.Turns) schedule.Outcome {
				for _, action := range []string{"Tasks", "Tasks", "Paused"} {
					limited, cancel := context.WithTimeout(ctx, time.Second) // when the next slot is
					if end, err := turns.Wait(limited, action); err == nil {
						end()
					}
					cancel()
				}
				<-ctx.Done()
				return schedule.Outcome{}
			}}
			s := start(t, 1, 1, impatient)
			s.Pause("quota", "Paused", 5*time.Second)
			time.Sleep(10 * time.Second)
			setJobs(s, 1, 1, impatient, asks(j, "b", "Tasks"))
			time.Sleep(10 * time.Second)
			j.expect(t, "10s b Tasks")
		})
	}
}
