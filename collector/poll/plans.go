package poll

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-kit/log/level"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/collector/download"
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
		Name:              download.LabelValue(row.Name),
		DatabaseType:      row.DatabaseType,
		ResourceGroupID:   row.ResourceGroupID,
		Status:            row.Status,
		Discovered:        t.config.Discovery.Wants(row),
		DownloadGatewayID: row.DownloadGatewayID,
	}
	if row.AutoDownloadKnown {
		info.AutoDownload = &row.AutoDownload
	}
	if row.Prepaid() {
		info.Expires = row.Expires
	}
	return info
}

// planSource lists the plans of a target's account.
func (p *Poller) planSource(t *target) source[dbsapi.BackupPlan] {
	return source[dbsapi.BackupPlan]{
		action:   dbsapi.ActionBackupPlans,
		noun:     "plan",
		failed:   "Discovery failed, continuing with the plans already known",
		interval: time.Duration(t.config.Discovery.Interval),
		pages: func(ctx context.Context, pace dbsapi.Pace) iter.Seq2[dbsapi.Page[dbsapi.BackupPlan], error] {
			return t.client.BackupPlans(ctx, dbsapi.PlanQuery{Region: t.id.RegionID}, pace)
		},
		id:            func(row dbsapi.BackupPlan) string { return row.ID },
		usable:        config.IsPlanID,
		keep:          keptPlan,
		known:         t.listedPlans(),
		withoutStatus: func(row dbsapi.BackupPlan) bool { return row.Status == "" },
		tooMany:       errTooManyPlans,
		publish: func(r listed[dbsapi.BackupPlan]) {
			p.update(t.id, func(now, before *target) bool {
				if !before.planList.continues(t.planList) {
					return false
				}
				now.planList = before.planList.next(r, time.Now())
				p.setPlans(now, before)
				logPlans(now, before)
				if r.failure == nil && r.withoutStatus > 0 {
					level.Warn(t.logger).Log("msg", "Plans are listed without a status, the last known one stays", "plans", r.withoutStatus)
				}
				return true
			})
		},
	}
}

// logPlans writes which plans came and went with a list of plans, and how many it
// has that cannot be polled.
func logPlans(now, before *target) {
	if n := now.planList.unusable; n != before.planList.unusable && n > 0 {
		level.Warn(now.logger).Log("msg", "Plans whose ID is not usable are not polled", "plans", n)
	}
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
