package poll

import (
	"cmp"
	"time"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/collector/schedule"
	"aliyun_dbs_exporter/dbsapi"
)

// Snapshot is the state of all targets and plans. It is made of values that do not
// change once they are published, so that readers never wait for a poll and never
// see half of one.
type Snapshot struct {
	At      time.Time
	Config  *config.Config
	Shard   Shard
	Targets []Target
}

// TargetID identifies a target: one account in one region.
type TargetID struct{ Account, RegionID string }

// Target is one account in one region under the configuration in use.
type Target struct {
	ID TargetID
	// Config is the target's block of the configuration.
	Config *config.Target
	// CredentialsExpireAt is zero if the credentials do not expire, or if it is
	// not known when.
	CredentialsExpireAt time.Time
	// Calls counts the requests by API action.
	Calls []Calls
	// Skipped counts the due times of plans that passed without a poll.
	Skipped uint64
	// ClockSkew is the Date header of the last answer minus the local time, nil
	// before the first answer.
	ClockSkew *time.Duration
	// PlanList is the outcome of discovery, nil if discovery is off.
	PlanList *PlanList
	// Gateways are the backup gateways, nil if they are not listed.
	Gateways *GatewayList
	// Budget is that of the target's quota, shared with the targets that have
	// the same account and endpoint.
	Budget Budget
	Plans  []Plan
}

// Calls counts the requests of one API action. The numbers only grow.
type Calls struct {
	// Action is the API action, such as DescribeBackupPlanList.
	Action string
	// Requests counts the requests that were sent.
	Requests uint64
	// Failures counts the attempts that failed, by the index of the reason in
	// [dbsapi.Reasons]. Attempts that failed before anything was sent, for want
	// of credentials, count here only.
	Failures []uint64
}

// List is the outcome of the lists of one kind that a target asked for.
type List struct {
	// Tried reports whether the first list has ended, well or badly.
	Tried bool
	// SucceededAt is when the last successful list ended, zero before the first.
	SucceededAt time.Time
	// Failure is why the last list failed, nil if it succeeded.
	Failure *Failure
	// Fresh reports whether the last successful list may still be shown: its age
	// is at most five of its intervals.
	Fresh bool
	// Due is when the next list is due.
	Due time.Time
}

// PlanList is the outcome of a target's lists of plans.
type PlanList struct {
	List
	// Wanted is how many of the listed plans are polled by this process.
	Wanted int
}

// Plan is a backup plan that is polled.
type Plan struct {
	ID   string
	Info *PlanInfo
	Poll Poll
	// Listing is that of the last successful poll, nil before the first and once
	// it is older than stale_after.
	Listing *download.Listing
	// Finished and Failed count the downloads that this process saw end.
	Finished, Failed uint64
}

// PlanInfo is what is known of a plan besides its downloads. It is not changed
// once it is published.
type PlanInfo struct {
	// Name comes from the configuration, else from discovery.
	Name         string
	DatabaseType string
	// ResourceGroupID comes from discovery.
	ResourceGroupID string
	// MaxSuccessAge is the age at which the last success is overdue, zero if
	// none is configured.
	MaxSuccessAge time.Duration
	// Discovered reports whether the filters of discovery want the plan. It may
	// be configured as well.
	Discovered bool
	// Status is the plan's own status, and AutoDownload whether the plan
	// downloads every new backup set by itself, through the backup gateway
	// DownloadGatewayID. Expires is when a prepaid plan ends. They are empty until
	// discovery has seen the plan, and again once that list is too old.
	Status            string
	AutoDownload      *bool
	DownloadGatewayID string
	Expires           time.Time
}

// Poll is how the polls of a plan have gone.
type Poll struct {
	// Polls and Failures count the polls that ended.
	Polls, Failures uint64
	// Failure is why the last poll failed, nil if it succeeded or if there was
	// none.
	Failure *Failure
	// EndedAt is when the last poll ended, and SucceededAt when the last
	// successful one did; zero before the first.
	EndedAt, SucceededAt time.Time
	// Duration is what the API took for the last poll, all requests and the
	// waits between their attempts. Waiting for a turn does not count.
	Duration time.Duration
	// Requests is how many requests the last poll sent, retries included.
	Requests int
	// FullListingAt is when the last poll ended that read all tasks, zero before
	// the first.
	FullListingAt time.Time
	// Obstacle is why polls save nothing, or less than they could.
	Obstacle download.Obstacle
	// Idle reports whether no task is expected to change, so that
	// idle_poll_interval counts.
	Idle bool
	// Due is when the next poll is due; it may have passed.
	Due time.Time
	// Running reports whether a poll is in progress.
	Running bool
	// Late is how long the poll has been due, if that is over an interval.
	Late time.Duration
	// Slow reports whether recent polls had slow answers or timed out, so that
	// the plan shares half of its target's requests with other slow ones.
	Slow bool
}

// Ended reports whether a poll has ended.
func (p *Poll) Ended() bool { return p.Polls > 0 }

// Failure is why a poll or a list failed. It holds no secret, no URL and no text
// of the API but its error codes and request IDs.
type Failure struct {
	Reason dbsapi.Reason
	// Text says what happened.
	Text string
	// Advice says in a sentence what an operator can do about it.
	Advice string
	// Permission is the RAM action to grant, such as dbs:DescribeBackupPlanList;
	// empty unless that is what is missing.
	Permission string
}

// Budget compares the requests that polls need with those that the rate allows,
// both per poll interval, for all targets that share a quota.
type Budget struct {
	Plans int
	// Unlisted counts the plans that were never listed. How many requests they
	// need is not known; Needed has none for them.
	Unlisted int
	// Needed counts the requests that the last polls took, full listings by their
	// interval, and those for the lists of plans and gateways.
	Needed int
	// Allowed is requests_per_second times poll_interval.
	Allowed int
	// Obstacles counts the plans of more than one page whose polls save nothing, or
	// less than they could, by the reason. Plans whose last listing is unsure do not
	// count: the next one mends that.
	Obstacles map[download.Obstacle]int
}

// Fits reports whether the known needs fit.
func (b Budget) Fits() bool { return b.Needed <= b.Allowed }

// Snapshot returns the state of all targets and plans. It reads memory only.
func (p *Poller) Snapshot() *Snapshot {
	state := p.state.Load()
	s := &Snapshot{At: time.Now(), Config: state.config, Shard: p.options.Shard, Targets: make([]Target, len(state.targets))}
	budgets := state.budgets()
	for i, t := range state.targets {
		s.Targets[i] = p.snapshotTarget(s.At, t)
		s.Targets[i].Budget = budgets[t.config.Quota()]
	}
	return s
}

func (p *Poller) snapshotTarget(now time.Time, t *target) Target {
	target := Target{
		ID:                  t.id,
		Config:              t.config,
		CredentialsExpireAt: t.credentials.ExpiresAt(),
		Calls:               []Calls{t.calls.tasks.load()},
		ClockSkew:           t.calls.clockSkew.Load(),
		Plans:               make([]Plan, len(t.plans)),
	}
	jobs, skipped := p.schedule.State(t.id.key(), t.jobs)
	lists, once := jobs[len(t.plans):], p.once.Load()
	target.Skipped = skipped
	for i, plan := range t.plans {
		target.Plans[i] = p.snapshotPlan(now, t, plan, jobs[i])
		target.Skipped += jobs[i].Skipped
	}
	if t.planList != nil {
		target.Calls = append(target.Calls, t.calls.plans.load())
		target.PlanList = &PlanList{List: t.planList.snapshot(now, time.Duration(t.config.Discovery.Interval), once, lists[0])}
		for _, plan := range t.plans {
			if plan.info.Discovered {
				target.PlanList.Wanted++
			}
		}
		lists = lists[1:]
	}
	if t.gateways != nil {
		target.Calls = append(target.Calls, t.calls.gateways.load())
		target.Gateways = &GatewayList{List: t.gateways.snapshot(now, time.Duration(t.config.Gateways.Interval), once, lists[0])}
		if target.Gateways.Fresh {
			target.Gateways.Rows = t.gatewayRows()
		}
	}
	return target
}

// dueAt returns when a job is due. A reload may have just removed it.
func dueAt(job schedule.JobState, now time.Time) time.Time { return cmp.Or(job.Due, now) }

func (p *Poller) snapshotPlan(now time.Time, t *target, plan plan, job schedule.JobState) Plan {
	state := plan.state.Load()
	s := Plan{
		ID:   plan.id,
		Info: plan.info,
		Poll: Poll{
			Polls:       state.polls,
			Failures:    state.failures,
			Failure:     state.failure,
			EndedAt:     state.endedAt,
			SucceededAt: state.succeededAt,
			Duration:    state.duration,

			Requests:      state.requests,
			FullListingAt: state.listedAt,
			Obstacle:      state.obstacle,
			Idle:          state.idle,

			Due:     dueAt(job, now),
			Running: job.Running,
			Late:    job.Late,
			Slow:    job.Slow,
		},
		Finished: state.finished,
		Failed:   state.failed,
	}
	once := p.once.Load()
	if once || state.fresh(now, time.Duration(t.global.StaleAfter)) {
		s.Listing = state.listing
	}
	if t.planList != nil && !once && !t.planList.fresh(now, time.Duration(t.config.Discovery.Interval)) {
		s.Info = s.Info.withoutListed()
	}
	return s
}

// withoutListed returns what is known of a plan once the list that it comes from
// is too old to tell the plan's state. Its name and resource group stay: a plan
// keeps them.
func (i *PlanInfo) withoutListed() *PlanInfo {
	stale := *i
	stale.Status, stale.AutoDownload, stale.DownloadGatewayID, stale.Expires = "", nil, "", time.Time{}
	return &stale
}
