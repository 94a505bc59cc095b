package poll

import (
	"context"
	"errors"
	"hash/fnv"
	"time"

	"github.com/go-kit/log/level"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/collector/schedule"
	"aliyun_dbs_exporter/dbsapi"
)

// planState is what polls have found. It is not changed once it is published.
type planState struct {
	polls, failures uint64
	// failure is the outcome of the last poll, which ended at endedAt.
	failure  *Failure
	endedAt  time.Time
	duration time.Duration
	// listing is that of the last successful poll, which ended at succeededAt;
	// nil before the first.
	listing     *download.Listing
	succeededAt time.Time
	// requests is how many the last poll sent.
	requests int
	// listedAt is when the last full listing ended. obstacle is why polls save
	// nothing or little, and changesCost what the last poll sent that no full
	// listing was due for, even if it read all tasks.
	// overdue: the last poll failed, and a full listing had been due.
	listedAt    time.Time
	overdue     bool
	obstacle    download.Obstacle
	changesCost int
	// idle: no task is expected to change.
	idle bool
	// finished and failed count downloads that ended between polls.
	finished, failed uint64
}

// fresh reports whether the listing may still be published. Its age counts,
// whatever made it old: polls that fail, or polls that do not come.
func (s *planState) fresh(now time.Time, staleAfter time.Duration) bool {
	return s.listing != nil && now.Sub(s.succeededAt) <= staleAfter
}

// pollInterval is how often a plan in this state is polled.
func (t *target) pollInterval(state *planState) time.Duration {
	if state.idle {
		return time.Duration(t.global.IdlePollInterval)
	}
	return time.Duration(t.global.PollInterval)
}

// pollJob polls a plan in its interval.
func (p *Poller) pollJob(t *target, plan plan) schedule.Job {
	return schedule.Job{
		Key:       t.id.planKey(plan.id),
		Group:     t.id.key(),
		Action:    dbsapi.ActionDownloadTasks,
		Every:     time.Duration(t.global.PollInterval),
		IdleEvery: time.Duration(t.global.IdlePollInterval),
		Limit:     time.Duration(t.global.PollTimeout) + runSlack,
		Run: func(ctx context.Context, turns *schedule.Turns) schedule.Outcome {
			return p.poll(ctx, t, plan, turns)
		},
	}
}

// pace paces the requests of one run of a job.
func pace(turns *schedule.Turns, budget *dbsapi.Budget) dbsapi.Pace {
	return dbsapi.Pace{Turn: turns.Wait, Budget: budget, OneAttempt: turns.Slow()}
}

// poll reads what must be read of a plan's tasks and publishes the outcome.
func (p *Poller) poll(ctx context.Context, t *target, plan plan, turns *schedule.Turns) schedule.Outcome {
	budget := dbsapi.NewBudget(time.Duration(t.global.PollTimeout))
	list := t.taskList(ctx, plan.id, turns, budget)
	before := plan.state.Load()
	conditions := t.conditions(plan.id, before)
	found, err := plan.tracker.Poll(conditions, list)
	if err != nil && ctx.Err() != nil {
		return schedule.Outcome{} // the process or the target ends; that says nothing about the plan
	}
	if errors.Is(err, errDeferred) {
		return schedule.Outcome{Answered: true, Deferred: true}
	}
	next := *before
	next.polls++
	next.requests = list.requests
	next.endedAt = time.Now()
	next.duration = time.Duration(t.global.PollTimeout) - budget.Left()
	if next.failure = newFailure(err); next.failure != nil {
		next.failures++
		next.overdue = conditions.Full
	} else {
		next.take(found, conditions.Full)
		p.finished(t.id, found.Ends)
		p.unknown.log(t.logger, plan.id, found.Listing.Unknown)
	}
	plan.state.Store(&next)
	p.polled(t, plan, &next)
	return schedule.Outcome{Answered: list.answered, TimedOut: next.failure.timedOut(), Idle: next.idle}
}

// take takes over what a poll that has just ended has found. due: a full listing
// was due.
func (s *planState) take(found download.Outcome, due bool) {
	s.listing, s.succeededAt = found.Listing, s.endedAt
	s.obstacle, s.idle, s.overdue = found.Obstacle, found.Idle, false
	if found.Full {
		s.listedAt = s.endedAt
	}
	if !due {
		s.changesCost = s.requests
	}
	s.finished += uint64(found.Ends.Finished)
	s.failed += uint64(found.Ends.Failed)
}

// conditions returns those of the next poll of a plan.
func (t *target) conditions(planID string, state *planState) download.Conditions {
	now := time.Now()
	return download.Conditions{
		Now: now,
		Limits: download.Limits{
			CompletedWithin: time.Duration(t.global.TaskSeries.CompletedWithin),
			MaxPerPlan:      t.global.TaskSeries.MaxPerPlan,
		},
		Full: fullListingDue(t.id.planKey(planID), time.Duration(t.global.FullListingInterval), state, now),
	}
}

// fullListingDue reports whether a full listing of a plan is due. The plans of a
// process are due at different moments of the interval, so that a thousand plans do
// not list at once. A listing that fails stays due.
//
// A moment counts if it came after the last poll, and if that succeeded: else all
// plans would list at once after an outage, and after a change of the interval.
func fullListingDue(key string, every time.Duration, state *planState, now time.Time) bool {
	switch {
	case every == 0, state.listedAt.IsZero(), state.overdue:
		return true
	case state.failure != nil:
		return false
	}
	hash := fnv.New64a()
	hash.Write([]byte(key))
	phase := time.Duration(hash.Sum64() % uint64(every))
	intervals := func(at time.Time) time.Duration { return (time.Duration(at.UnixNano()) + phase) / every }
	return intervals(now) != intervals(state.endedAt) // also if the clock was set back
}

// finished tells of the downloads that a poll saw finish.
func (p *Poller) finished(id TargetID, ends download.NewEnds) {
	if p.options.Hooks.Finished == nil {
		return
	}
	for backupType, durations := range ends.Durations {
		for _, took := range durations {
			p.options.Hooks.Finished(id, download.BackupType(backupType), took)
		}
	}
}

// polled tells of the end of a poll.
func (p *Poller) polled(t *target, plan plan, state *planState) {
	if state.failure != nil {
		p.report.failed()
		level.Debug(t.logger).Log("msg", "Poll failed", "plan_id", plan.id, "took", state.duration, "err", state.failure.Text)
	} else {
		level.Debug(t.logger).Log("msg", "Poll ended", "plan_id", plan.id, "took", state.duration,
			"tasks", state.listing.Tasks, "requests", state.requests)
	}
	if p.options.Hooks.Polled != nil {
		jobs, _ := p.schedule.State(t.id.key(), []string{t.id.planKey(plan.id)})
		p.options.Hooks.Polled(t.id, p.snapshotPlan(time.Now(), t, plan, jobs[0]))
	}
}
