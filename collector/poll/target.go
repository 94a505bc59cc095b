package poll

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/collector/schedule"
	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/credentials"
)

// target is one account in one region under one configuration, with the plans
// that follow from it. It is not changed once it is published. The results that
// it points to live on when a reload replaces it.
type target struct {
	id     TargetID
	config *config.Target
	global *config.Config
	logger log.Logger

	client      *dbsapi.Client
	credentials credentials.Provider
	calls       *calls
	// planList is nil if discovery is off.
	planList *list[dbsapi.BackupPlan]
	// gateways is nil if backup gateways are not listed.
	gateways *list[dbsapi.BackupGateway]
	plans    []plan
	// jobs are the keys of the target's jobs: those of its plans in their order,
	// then those of the lists of plans and gateways. Every snapshot asks for them.
	jobs []string
	// retired are the results of plans that the target polled under another
	// identity, by ID, until the first list of plans has succeeded: what is listed
	// again keeps its counters.
	retired map[string]*results
}

// newTarget returns the target of a block of the configuration. It takes over
// what the block does not change: credentials with the session tokens that they
// hold, the client with its open connections, the plans and the counters.
func (p *Poller) newTarget(s *state, c *config.Target, old *state) (*target, error) {
	id := TargetID{Account: c.Account, RegionID: c.RegionID}
	t := &target{
		id:     id,
		config: c,
		global: s.config,
		logger: log.With(p.logger, "account", id.Account, "region_id", id.RegionID),
	}
	before := old.target(id)
	if before == nil {
		t.calls = newCalls()
	} else {
		t.takeOver(before, s.http == old.http)
	}
	if t.credentials == nil {
		t.credentials = c.Credentials(p.issuer)
	}
	if t.client == nil {
		var err error
		t.client, err = dbsapi.New(dbsapi.Options{
			Endpoint:    c.Endpoint(),
			Credentials: t.credentials,
			HTTPClient:  s.http,
			Observe:     p.observer(t.calls, c.Quota()),
			UserAgent:   config.UserAgent(),
		})
		if err != nil {
			return nil, fmt.Errorf("target %s in %s: %w", id.Account, id.RegionID, err)
		}
	}
	switch {
	case !c.Discovery.Enabled:
		t.planList = nil
	case t.planList == nil:
		t.planList = &list[dbsapi.BackupPlan]{job: p.newListKey(id)}
	}
	switch {
	case !c.Gateways.Enabled:
		t.gateways = nil
	case t.gateways == nil:
		t.gateways = &list[dbsapi.BackupGateway]{job: p.newListKey(id)}
	}
	p.setPlans(t, before)
	return t, nil
}

// takeOver keeps what a new configuration of the target does not change. Good
// credentials outlast a change of http_client too; others are asked for at once,
// because the change may have been made for that.
func (t *target) takeOver(before *target, sameHTTP bool) {
	t.calls = before.calls
	if t.config.SameIdentity(before.config) {
		t.planList, t.gateways = before.planList, before.gateways
		if sameHTTP {
			t.client = before.client
		}
	}
	if t.config.CredentialsBlock == before.config.CredentialsBlock && (sameHTTP || before.credentials.Usable()) {
		t.credentials = before.credentials
	}
}

// observer counts the attempts of a target's client and passes on the pauses
// that the server asks for.
func (p *Poller) observer(c *calls, quota config.Quota) func(dbsapi.Attempt) {
	return func(a dbsapi.Attempt) {
		c.count(a)
		if a.Pause.Action > 0 {
			p.schedule.Pause(quotaKey(quota), a.Action, a.Pause.Action)
		}
		if a.Pause.Account > 0 {
			p.schedule.Pause(quotaKey(quota), "", a.Pause.Account)
		}
		if p.options.Hooks.Attempt != nil {
			p.options.Hooks.Attempt(a)
		}
	}
}

// calls counts what a target has sent. It lives as long as the target is
// configured.
type calls struct {
	tasks, plans, gateways callCounts
	// clockSkew is nil before the first answer.
	clockSkew atomic.Pointer[time.Duration]
}

// callCounts are those of one API action.
type callCounts struct {
	action   string
	requests atomic.Uint64
	failures []atomic.Uint64
}

func newCalls() *calls {
	counts := func(action string) callCounts {
		return callCounts{action: action, failures: make([]atomic.Uint64, len(dbsapi.Reasons))}
	}
	return &calls{
		tasks:    counts(dbsapi.ActionDownloadTasks),
		plans:    counts(dbsapi.ActionBackupPlans),
		gateways: counts(dbsapi.ActionBackupGateways),
	}
}

func (c *calls) count(a dbsapi.Attempt) {
	counts := &c.tasks
	switch a.Action {
	case c.plans.action:
		counts = &c.plans
	case c.gateways.action:
		counts = &c.gateways
	}
	if a.Sent {
		counts.requests.Add(1)
	}
	if a.Err != nil {
		for i, reason := range dbsapi.Reasons {
			if reason == a.Err.Reason {
				counts.failures[i].Add(1)
			}
		}
	}
	if !a.ServerTime.IsZero() {
		skew := a.ServerTime.Sub(a.LocalTime)
		c.clockSkew.Store(&skew)
	}
}

func (c *callCounts) load() Calls {
	calls := Calls{Action: c.action, Requests: c.requests.Load(), Failures: make([]uint64, len(c.failures))}
	for i := range c.failures {
		calls.Failures[i] = c.failures[i].Load()
	}
	return calls
}

// Keys of the schedule. Names and IDs hold no NUL: the configuration refuses
// control characters.
func quotaKey(q config.Quota) string { return q.Account + "\x00" + q.Endpoint }

func (id TargetID) key() string { return id.Account + "\x00" + id.RegionID }

func (id TargetID) planKey(planID string) string { return id.key() + "\x00" + planID }

// newListKey returns the key of a new list. It cannot be that of a plan, whose ID
// has no slash.
func (p *Poller) newListKey(id TargetID) string {
	p.listsMade++
	return fmt.Sprintf("%s\x00/%d", id.key(), p.listsMade)
}

// jobKeys makes the keys of a target's jobs.
func (t *target) jobKeys() []string {
	keys := make([]string, 0, len(t.plans)+2)
	for _, plan := range t.plans {
		keys = append(keys, t.id.planKey(plan.id))
	}
	if t.planList != nil {
		keys = append(keys, t.planList.job)
	}
	if t.gateways != nil {
		keys = append(keys, t.gateways.job)
	}
	return keys
}

func (s *state) quotas() []schedule.Quota {
	var quotas []schedule.Quota
	for quota, rate := range s.config.Rates() {
		quotas = append(quotas, schedule.Quota{Key: quotaKey(quota), RequestsPerSecond: rate})
	}
	return quotas
}

func (s *state) groups() []schedule.Group {
	groups := make([]schedule.Group, len(s.targets))
	for i, t := range s.targets {
		groups[i] = schedule.Group{Key: t.id.key(), Quota: quotaKey(t.config.Quota()), MaxConcurrent: t.config.MaxConcurrentRequests}
	}
	return groups
}

// jobs returns what is to be done for a state.
func (p *Poller) jobs(s *state) []schedule.Job {
	var jobs []schedule.Job
	for _, t := range s.targets {
		if t.planList != nil {
			jobs = append(jobs, p.planSource(t).job(t, t.planList))
		}
		if t.gateways != nil {
			jobs = append(jobs, p.gatewaySource(t).job(t, t.gateways))
		}
		for _, plan := range t.plans {
			jobs = append(jobs, p.pollJob(t, plan))
		}
	}
	return jobs
}

// runSlack is what a run may take beyond its budget before it counts as stuck:
// decoding, a busy machine.
const runSlack = time.Minute
