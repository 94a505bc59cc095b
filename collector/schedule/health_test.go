package schedule_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/collector/schedule"
)

func expectHealth(t *testing.T, s *schedule.Scheduler, want string) {
	t.Helper()
	err := s.Healthy()
	switch {
	case want == "" && err != nil:
		t.Errorf("got %v, want healthy", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("got %v, want an error with %q", err, want)
	}
}

func TestHealthyBeforeAndAfterRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := schedule.New()
		expectHealth(t, s, "")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.Run(ctx)
		expectHealth(t, s, "")
	})
}

func TestHealthyNoticesAStuckDispatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := schedule.New()
		s.Hang()
		expectHealth(t, s, "dispatcher")
	})
}

// A run may take its limit outside the queue. Time in the queue, in a pause of
// the server and in a standstill of the process is not its own.
func TestHealthyNoticesARunBeyondItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		job := schedule.Job{Key: "a", Action: "Tasks", Limit: minute, Every: 24 * time.Hour, Run: func(ctx context.Context, turns *schedule.Turns) schedule.Outcome {
			for range 2 {
				end, err := turns.Wait(ctx, "Tasks")
				if err != nil {
					return schedule.Outcome{}
				}
				time.Sleep(28 * time.Second)
				end()
			}
			return schedule.Outcome{}
		}}
		s := start(t, 1, 1, job)
		time.Sleep(10 * time.Second)
		s.Pause("quota", "", time.Hour)
		expectHealth(t, s, "")
		s.StandStill(10 * minute) // in the first request
		expectHealth(t, s, "")
		time.Sleep(10 * minute) // in the queue
		expectHealth(t, s, "")
		time.Sleep(40*minute + 25*time.Second) // in the second request
		expectHealth(t, s, "")
		exactly(t, "running", states(s, "a")[0].Running, true)
		time.Sleep(10 * time.Second)
		exactly(t, "running", states(s, "a")[0].Running, false)
	})
}

func TestHealthyNamesTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		hangs := schedule.Job{Key: "hangs", Action: "Tasks", Limit: minute, Run: func(ctx context.Context, turns *schedule.Turns) schedule.Outcome {
			end, _ := turns.Wait(ctx, "Tasks")
			defer end()
			<-ctx.Done()
			time.Sleep(2 * minute) // even then
			j.note("ended")
			return schedule.Outcome{}
		}}
		s := start(t, 1, 1, hangs)
		time.Sleep(58 * time.Second)
		expectHealth(t, s, "")
		time.Sleep(5 * time.Second)
		expectHealth(t, s, `job "hangs"`)
		setJobs(s, 1, 1) // removed, but it still runs
		time.Sleep(minute)
		expectHealth(t, s, `job "hangs"`)
		time.Sleep(minute + 1)
		synctest.Wait()
		j.expect(t, "3m3s ended")
		expectHealth(t, s, "")
	})
}

// The state of a job follows its first poll.
func TestStateOfTheFirstPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := schedule.New()
		setJobs(s, 1, 1, asks(newJournal(), "a", "Tasks"))
		s.Pause("quota", "", 90*time.Second)
		run(t, s)
		type state struct {
			running, tried bool
			polls, skipped uint64
			late           time.Duration
		}
		for _, c := range []struct {
			at   time.Duration
			want state
		}{
			{minute, state{}},
			{minute + 1, state{late: minute + 1}},
			{90*time.Second + 1, state{running: true, polls: 1}},
			{92 * time.Second, state{tried: true, polls: 1}},
		} {
			time.Sleep(c.at - time.Since(begin))
			synctest.Wait()
			got := states(s, "a", "unknown")
			exactly(t, c.at.String(), state{got[0].Running, got[0].Tried, got[0].Polls, got[0].Skipped, got[0].Late}, c.want)
			exactly(t, "unknown", got[1], schedule.JobState{})
		}
		due := states(s, "a")[0].Due.Sub(begin)
		if due < 2*minute || due > 3*minute {
			t.Errorf("due after %s, want half an interval after the start to one and a half", due)
		}
	})
}
