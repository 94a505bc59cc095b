package poll

import (
	"cmp"
	"context"
	"errors"
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
	// finished and failed count downloads that ended between polls.
	finished, failed uint64
}

// fresh reports whether the listing may still be published. Its age counts,
// whatever made it old: polls that fail, or polls that do not come.
func (s *planState) fresh(now time.Time, staleAfter time.Duration) bool {
	return s.listing != nil && now.Sub(s.succeededAt) <= staleAfter
}

// pollJob polls a plan in the poll interval.
func (p *Poller) pollJob(t *target, plan plan) schedule.Job {
	return schedule.Job{
		Key:    t.id.planKey(plan.id),
		Group:  t.id.key(),
		Action: dbsapi.ActionDownloadTasks,
		Every:  time.Duration(t.global.PollInterval),
		Limit:  time.Duration(t.global.PollTimeout) + runSlack,
		Run:    func(ctx context.Context, turns *schedule.Turns) schedule.Outcome { return p.poll(ctx, t, plan, turns) },
	}
}

// pace paces the requests of one run of a job.
func pace(turns *schedule.Turns, budget *dbsapi.Budget) dbsapi.Pace {
	return dbsapi.Pace{Turn: turns.Wait, Budget: budget, OneAttempt: turns.Slow()}
}

// poll lists a plan's tasks and publishes the outcome.
func (p *Poller) poll(ctx context.Context, t *target, plan plan, turns *schedule.Turns) schedule.Outcome {
	budget := dbsapi.NewBudget(time.Duration(t.global.PollTimeout))
	read := t.readTasks(ctx, plan.id, turns, budget)
	if ctx.Err() != nil {
		return schedule.Outcome{} // the process or the target ends; that says nothing about the plan
	}
	if read.deferred {
		return schedule.Outcome{Answered: true, Deferred: true}
	}
	next := *plan.state.Load()
	next.polls++
	next.endedAt = time.Now()
	next.duration = time.Duration(t.global.PollTimeout) - budget.Left()
	if next.failure = newFailure(read.err); next.failure != nil {
		next.failures++
	} else {
		next.listing, next.succeededAt = read.listing, next.endedAt
		ends := plan.ends.Update(read.rows, read.listedAt)
		next.finished += uint64(ends.Finished)
		next.failed += uint64(ends.Failed)
		p.finished(t.id, ends)
		p.unknown.log(t.logger, plan.id, read.listing.Unknown)
	}
	plan.state.Store(&next)
	p.polled(t, plan, &next)
	return schedule.Outcome{Answered: read.answered, TimedOut: next.failure.timedOut()}
}

// reading is what one poll has read.
type reading struct {
	rows    *download.Builder
	listing *download.Listing
	// listedAt is the API's time of the first page, else the local time.
	listedAt time.Time
	answered bool
	// deferred reports that a first listing of many pages gave way to shorter
	// ones.
	deferred bool
	err      error
}

// readTasks reads all pages of a plan's tasks within the poll's budget.
func (t *target) readTasks(ctx context.Context, planID string, turns *schedule.Turns, budget *dbsapi.Budget) reading {
	var (
		total  int64 = -1
		limits       = download.Limits{
			CompletedWithin: time.Duration(t.global.TaskSeries.CompletedWithin),
			MaxPerPlan:      t.global.TaskSeries.MaxPerPlan,
		}
		r = reading{rows: download.NewBuilder(limits, time.Now()), listedAt: time.Now()}
	)
	for page, err := range t.client.DownloadTasks(ctx, dbsapi.TaskQuery{PlanID: planID}, pace(turns, budget)) {
		if r.err = err; err != nil {
			break
		}
		r.answered = true
		if page.Number == 0 { // also if the list changed while it was read
			r.rows, r.listedAt = download.NewBuilder(limits, time.Now()), cmp.Or(page.ServerTime, time.Now())
			if turns.Defer(requestsFor(int(page.TotalElements))) {
				r.deferred = true
				return r
			}
		}
		r.rows.Add(page.Items)
		total = page.TotalElements
	}
	// An incomplete listing has rows: it ends after a valid page.
	truncated := errors.Is(r.err, dbsapi.ErrIncomplete)
	if r.err == nil || truncated {
		r.listing, r.err = r.rows.Listing(total, truncated)
	}
	return r
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
		level.Debug(t.logger).Log("msg", "Poll ended", "plan_id", plan.id, "took", state.duration, "tasks", state.listing.Tasks)
	}
	if p.options.Hooks.Polled != nil {
		jobs, _ := p.schedule.State(t.id.key(), []string{t.id.planKey(plan.id)})
		p.options.Hooks.Polled(t.id, p.snapshotPlan(time.Now(), t, plan, jobs[0]))
	}
}
