package collector

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"aliyun_dbs_exporter/dbsapi"
)

// Status is what a person wants to see of a collector, at one moment. It holds no secret, no URL and no text of the
// API but its error codes and request IDs.
type Status struct {
	At           time.Time      `json:"at"`
	PollInterval float64        `json:"poll_interval_seconds"`
	Reload       ReloadStatus   `json:"reload"`
	Targets      []TargetStatus `json:"targets"`
	// Plans are ordered by state, those that need a person first, then by account, region and name.
	Plans []*PlanStatus `json:"plans"`
}

// ReloadStatus is the outcome of the last attempt to load a configuration.
type ReloadStatus struct {
	OK bool `json:"ok"`
	// GoodAt is when the configuration in use was loaded.
	GoodAt time.Time `json:"good_at"`
	// Problem is why the last attempt failed; it names line and key and repeats no value.
	Problem string `json:"problem,omitempty"`
}

// Problem is a failure in words that a person can act on.
type Problem struct {
	Reason dbsapi.Reason `json:"reason"`
	Text   string        `json:"text"`
	Advice string        `json:"advice,omitempty"`
	// Permission is the RAM action to grant, such as dbs:DescribeBackupPlanList; empty unless that is what is missing.
	Permission string `json:"permission,omitempty"`
}

// TargetStatus is one account in one region.
type TargetStatus struct {
	Account  string `json:"account"`
	RegionID string `json:"region_id"`
	// Endpoint is the host that is asked.
	Endpoint        string          `json:"endpoint"`
	CredentialsType CredentialsType `json:"credentials_type"`
	// CredentialsExpireAt is zero where they do not expire.
	CredentialsExpireAt time.Time `json:"credentials_expire_at,omitzero"`
	// Plans is how many are polled, and Failing how many of their newest polls failed.
	Plans   int `json:"plans"`
	Failing int `json:"failing"`
	// Discovery is nil where it is off.
	Discovery *DiscoveryStatus `json:"discovery,omitempty"`
	// Round is nil while none is in progress.
	Round *RoundStatus `json:"round,omitempty"`
	// NextRoundAt is zero while a round is in progress.
	NextRoundAt time.Time    `json:"next_round_at,omitzero"`
	Budget      BudgetStatus `json:"budget"`
}

// DiscoveryStatus is the state of a target's list of plans.
type DiscoveryStatus struct {
	// Tried tells whether the first attempt has ended.
	Tried bool `json:"tried"`
	// Plans is how many of the plans that are polled it has found.
	Plans int `json:"plans"`
	// GoodAt is when the newest good list ended, zero before the first.
	GoodAt  time.Time `json:"good_at,omitzero"`
	Problem *Problem  `json:"problem,omitempty"`
}

// RoundStatus is a round in progress.
type RoundStatus struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

// BudgetStatus compares the requests of a round with what the rate allows, for all targets that share a quota.
type BudgetStatus struct {
	Needed  int `json:"requests_needed"`
	Allowed int `json:"requests_allowed"`
}

// PlanState sums up a plan in a word.
type PlanState string

// The states of a plan, in the order of how much they need a person. The first that fits counts.
const (
	// PlanPollFailing: the newest poll failed.
	PlanPollFailing PlanState = "poll_failing"
	// PlanDownloadFailed: the newest download that ended failed, or failed its precheck.
	PlanDownloadFailed PlanState = "download_failed"
	// PlanOverdue: the newest success is older than the plan's max_success_age, or there is none.
	PlanOverdue PlanState = "overdue"
	// PlanNotPolled: no poll has ended yet.
	PlanNotPolled PlanState = "not_polled"
	// PlanGood: none of these.
	PlanGood PlanState = "good"
)

// PlanStates lists every [PlanState], in that order.
var PlanStates = []PlanState{PlanPollFailing, PlanDownloadFailed, PlanOverdue, PlanNotPolled, PlanGood}

// Failing tells whether the state needs a person.
func (s PlanState) Failing() bool {
	return s == PlanPollFailing || s == PlanDownloadFailed || s == PlanOverdue
}

// PlanStatus is one plan.
type PlanStatus struct {
	Account      string    `json:"account"`
	RegionID     string    `json:"region_id"`
	ID           string    `json:"plan_id"`
	Name         string    `json:"plan_name,omitempty"`
	DatabaseType string    `json:"database_type,omitempty"`
	State        PlanState `json:"state"`
	// Counts are the listed tasks by status, in the order of a task's life; nil where there is no listing to show: before
	// the first good poll, and once the last one is older than stale_after.
	Counts []StatusCount `json:"counts,omitempty"`
	// Incomplete: the API counts more tasks than it listed.
	Incomplete bool `json:"listing_incomplete,omitempty"`
	// LastSuccessAt is when the newest finished download ended.
	LastSuccessAt time.Time `json:"last_success_at,omitzero"`
	// LastFailureAt is when the newest one that failed or failed its precheck did, and LastFailure its status.
	LastFailureAt time.Time `json:"last_failure_at,omitzero"`
	LastFailure   string    `json:"last_failure_status,omitempty"`
	// MaxSuccessAge is the age at which the newest success is overdue, 0 where none is configured.
	MaxSuccessAge float64 `json:"max_success_age_seconds,omitempty"`
	// LastPollAt is when the newest poll ended, LastGoodPollAt when the newest good one did.
	LastPollAt     time.Time `json:"last_poll_at,omitzero"`
	LastGoodPollAt time.Time `json:"last_good_poll_at,omitzero"`
	// NextPollAt is zero while a round is in progress.
	NextPollAt time.Time `json:"next_poll_at,omitzero"`
	// Problem is why the newest poll failed, nil for a good one.
	Problem *Problem `json:"problem,omitempty"`
}

// StatusCount is how many tasks have a status.
type StatusCount struct {
	Status string `json:"status"`
	Tasks  int    `json:"tasks"`
}

// Status returns the state of all targets and plans. It reads memory only.
func (c *Collector) Status() *Status {
	applied, reload := c.applied.Load(), c.reload.Load()
	s := &Status{
		At:           time.Now(),
		PollInterval: time.Duration(applied.config.PollInterval).Seconds(),
		Reload:       ReloadStatus{OK: reload.ok, GoodAt: reload.goodAt},
		Targets:      []TargetStatus{},
		Plans:        []*PlanStatus{},
	}
	if reload.err != nil {
		s.Reload.Problem = reload.err.Error()
	}
	budgets := applied.budgets()
	for _, t := range applied.targets {
		status := t.status(s.At)
		b := budgets[t.settings.Load().config.quota()]
		status.Budget = BudgetStatus{Needed: b.needed, Allowed: b.allowed}
		for _, p := range *t.plans.Load() {
			plan := p.status(s.At, time.Duration(applied.config.StaleAfter))
			plan.Account, plan.RegionID, plan.NextPollAt = t.account, t.region, status.NextRoundAt
			if plan.Problem != nil {
				status.Failing++
			}
			if status.Discovery != nil && p.facts.Load().discovered {
				status.Discovery.Plans++
			}
			s.Plans = append(s.Plans, plan)
		}
		s.Targets = append(s.Targets, status)
	}
	slices.SortFunc(s.Plans, func(a, b *PlanStatus) int {
		return cmp.Or(
			cmp.Compare(slices.Index(PlanStates, a.State), slices.Index(PlanStates, b.State)),
			cmp.Compare(a.Account, b.Account), cmp.Compare(a.RegionID, b.RegionID), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID),
		)
	})
	return s
}

func (t *target) status(now time.Time) TargetStatus {
	s := t.settings.Load()
	status := TargetStatus{
		Account:             t.account,
		RegionID:            t.region,
		Endpoint:            s.config.quota().endpoint,
		CredentialsType:     s.config.Credentials.Type,
		CredentialsExpireAt: s.credentials.ExpiresAt(),
		Plans:               len(*t.plans.Load()),
		Round:               t.progress.Load(),
	}
	if next := time.Unix(0, t.nextRound.Load()); status.Round == nil && next.After(now) {
		status.NextRoundAt = next
	}
	if s.config.Discovery.Enabled {
		status.Discovery = new(DiscoveryStatus)
		if d := t.discovered.Load(); d != nil {
			*status.Discovery = DiscoveryStatus{Tried: true, GoodAt: d.goodAt, Problem: problem(d.err)}
		}
	}
	return status
}

func (p *plan) status(now time.Time, staleAfter time.Duration) *PlanStatus {
	facts, state := p.facts.Load(), p.state.Load()
	status := &PlanStatus{
		ID:             p.id,
		Name:           facts.name,
		DatabaseType:   facts.databaseType,
		MaxSuccessAge:  facts.maxSuccessAge.Seconds(),
		LastPollAt:     state.endedAt,
		LastGoodPollAt: state.goodAt,
		Problem:        problem(state.err),
	}
	if state.fresh(now, staleAfter) {
		status.show(state.listing)
	}
	switch overdue := facts.maxSuccessAge > 0 && now.Sub(status.LastSuccessAt) > facts.maxSuccessAge; {
	case status.Problem != nil:
		status.State = PlanPollFailing
	case !state.polled():
		status.State = PlanNotPolled
	case status.LastFailureAt.After(status.LastSuccessAt):
		status.State = PlanDownloadFailed
	case overdue:
		status.State = PlanOverdue
	default:
		status.State = PlanGood
	}
	return status
}

// show takes over what a listing says.
func (s *PlanStatus) show(l *listing) {
	s.Counts = make([]StatusCount, 0, statusCount)
	for i, name := range statusNames {
		s.Counts = append(s.Counts, StatusCount{Status: name, Tasks: l.counts[i]})
	}
	s.Incomplete = !l.complete
	s.LastSuccessAt = endOf(l.lastSuccess)
	for _, failure := range []status{statusInit, statusStop} {
		if at := l.lastFailure[failure]; at.After(s.LastFailureAt) {
			s.LastFailureAt, s.LastFailure = at, failure.String()
		}
	}
}

// problem puts a failure into words; nil stays nil.
func problem(err error) *Problem {
	if err == nil {
		return nil
	}
	p := &Problem{Reason: reasonOf(err), Text: err.Error(), Advice: advice(err)}
	if apiErr, ok := errors.AsType[*dbsapi.Error](err); ok && p.Reason == dbsapi.ReasonForbidden {
		p.Permission = "dbs:" + apiErr.Action
	}
	return p
}
