package poll

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-kit/log/level"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/collector/schedule"
	"aliyun_dbs_exporter/dbsapi"
)

// plan is a backup plan that is polled: what is known of it, and where its polls
// publish what they find.
type plan struct {
	id   string
	info *PlanInfo
	*results
}

// results are what the polls of a plan have found. They live as long as the plan
// is polled. One poll at a time writes to them; everybody else reads the state
// that it published.
type results struct {
	tracker download.Tracker
	state   atomic.Pointer[planState]
}

// setPlans gives a target its plans: those that are configured, in their order,
// and those that were discovered, by ID, as far as they belong to this shard.
// Plans that stay keep their results.
func (p *Poller) setPlans(t, before *target) {
	known := make(map[string]*results)
	if before != nil {
		maps.Copy(known, before.retired)
		for _, old := range before.plans {
			known[old.id] = old.results
		}
	}
	t.plans = slices.Concat(t.configuredPlans(), t.discoveredPlans())
	t.plans = slices.DeleteFunc(t.plans, func(plan plan) bool { return !p.options.Shard.Owns(t.id, plan.id) })
	for i := range t.plans {
		plan := &t.plans[i]
		if plan.results = known[plan.id]; plan.results == nil {
			plan.results = new(results)
			plan.state.Store(new(planState))
		}
		delete(known, plan.id)
	}
	t.jobs = t.jobKeys()
	t.retired = nil
	if t.planList != nil && t.planList.succeededAt.IsZero() {
		t.retired = known
	}
}

// configuredPlans returns the plans of the configuration. It overrides what
// discovery has found of them.
func (t *target) configuredPlans() []plan {
	plans := make([]plan, 0, len(t.config.Plans))
	for _, c := range t.config.Plans {
		info := new(PlanInfo)
		if row, ok := t.listedPlans()[c.ID]; ok {
			info = t.discovered(row)
		}
		info.Name = cmp.Or(c.Name, info.Name)
		info.MaxSuccessAge = time.Duration(c.MaxSuccessAge)
		plans = append(plans, plan{id: c.ID, info: info})
	}
	return plans
}

// discoveredPlans returns the plans that discovery wants and that are not
// configured.
func (t *target) discoveredPlans() []plan {
	configured := make(map[string]bool)
	for _, c := range t.config.Plans {
		configured[c.ID] = true
	}
	var plans []plan
	for _, id := range slices.Sorted(maps.Keys(t.listedPlans())) {
		if info := t.discovered(t.listedPlans()[id]); info.Discovered && !configured[id] {
			plans = append(plans, plan{id: id, info: info})
		}
	}
	return plans
}

// listedPlans returns the rows of the lists of plans, by ID.
func (t *target) listedPlans() map[string]dbsapi.BackupPlan {
	if t.planList == nil {
		return nil
	}
	return t.planList.rows
}

// discovered returns what a row of the list of plans says.
func (t *target) discovered(row dbsapi.BackupPlan) *PlanInfo {
	info := &PlanInfo{
		Name:         row.Name,
		DatabaseType: row.DatabaseType,
		Status:       row.Status,
		Discovered:   t.config.Discovery.Wants(row),
	}
	if row.AutoDownloadKnown {
		info.AutoDownload = &row.AutoDownload
	}
	return info
}

// planListJob lists a target's plans in the interval of discovery, and within a
// poll interval after a list that failed or lacks plans.
func (p *Poller) planListJob(t *target) schedule.Job {
	every := time.Duration(t.config.Discovery.Interval)
	if t.planList.unsettled() {
		every = min(every, time.Duration(t.global.PollInterval))
	}
	return schedule.Job{
		Key:    t.planList.job,
		Group:  t.id.key(),
		Action: dbsapi.ActionBackupPlans,
		List:   true,
		Every:  every,
		Limit:  t.planListTimeout() + runSlack,
		Run:    func(ctx context.Context, turns *schedule.Turns) schedule.Outcome { return p.listPlans(ctx, t, turns) },
	}
}

// listPlans lists the plans of a target's account and takes over what came.
func (p *Poller) listPlans(ctx context.Context, t *target, turns *schedule.Turns) schedule.Outcome {
	rows, answered, err := t.readPlans(ctx, pace(turns, dbsapi.NewBudget(t.planListTimeout())))
	if ctx.Err() != nil {
		return schedule.Outcome{} // the process or the target ends
	}
	failure := newFailure(err)
	if failure != nil {
		level.Warn(t.logger).Log("msg", "Discovery failed, continuing with the plans already known",
			"reason", failure.Reason, "err", failure.Text, "advice", failure.Advice)
	}
	p.listed(t, rows, failure)
	return schedule.Outcome{Answered: answered, TimedOut: failure.timedOut()}
}

// planListTimeout is the time that the API may take for a list of plans. The list
// is many pages if there are thousands of plans, and it has an interval of its
// own.
func (t *target) planListTimeout() time.Duration {
	return max(time.Duration(t.global.PollTimeout), time.Duration(t.config.Discovery.Interval)/2)
}

// readPlans reads all pages. With an error it returns the plans that came before
// it. The client accepts an empty list only if the API reports a total of zero.
func (t *target) readPlans(ctx context.Context, pace dbsapi.Pace) (rows map[string]dbsapi.BackupPlan, answered bool, err error) {
	read := planRows{known: t.listedPlans(), rows: make(map[string]dbsapi.BackupPlan)}
	total := int64(0)
	for page, err := range t.client.BackupPlans(ctx, dbsapi.PlanQuery{Region: t.id.RegionID}, pace) {
		switch {
		case errors.Is(err, dbsapi.ErrIncomplete):
			return read.rows, answered, read.incomplete(total)
		case err != nil:
			return read.rows, answered, err
		}
		answered = true
		if page.Number == 0 { // also if the list changed while it was read
			read.reset()
		}
		for _, row := range page.Items {
			if err := read.add(row); err != nil {
				return read.rows, answered, err
			}
		}
		total = page.TotalElements
	}
	if err = read.check(total); err == nil {
		read.log(t.logger)
	}
	return read.rows, answered, err
}

// listed makes a new state of what a target's list of plans has found. A reload may
// have replaced the target meanwhile: the list counts for the present one, unless
// that asks somebody else.
func (p *Poller) listed(by *target, rows map[string]dbsapi.BackupPlan, failure *Failure) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.state.Load()
	before := old.target(by.id)
	if before == nil || before.planList == nil || before.planList.job != by.planList.job {
		return
	}
	t := *before
	t.planList = before.planList.next(rows, failure, time.Now())
	p.setPlans(&t, before)
	next := *old
	next.targets = slices.Clone(old.targets)
	next.targets[slices.Index(next.targets, before)] = &t
	p.publish(&next)
	logPlans(&t, before)
}

// logPlans writes which plans came and went with a list of plans.
func logPlans(now, before *target) {
	added, removed := missing(before.plans, now.plans), missing(now.plans, before.plans)
	if len(added)+len(removed) > 0 {
		level.Info(now.logger).Log("msg", "Plans changed", "plans", len(now.plans), "added", len(added), "added_ids", shortList(added),
			"removed", len(removed), "removed_ids", shortList(removed))
	}
}

// missing returns the IDs of the plans in b that a lacks.
func missing(a, b []plan) []string {
	has := make(map[string]bool)
	for _, plan := range a {
		has[plan.id] = true
	}
	var ids []string
	for _, plan := range b {
		if !has[plan.id] {
			ids = append(ids, plan.id)
		}
	}
	return ids
}
