package collector

import (
	"cmp"
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
	// Plans has those whose newest poll failed first, then those with a failed download that nothing followed, then
	// the others by name.
	Plans []PlanStatus `json:"plans"`
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

// PlanStatus is one plan.
type PlanStatus struct {
	Account      string `json:"account"`
	RegionID     string `json:"region_id"`
	ID           string `json:"plan_id"`
	Name         string `json:"plan_name,omitempty"`
	DatabaseType string `json:"database_type,omitempty"`
	// Counts are the listed tasks by status, in the order of a task's life; nil where there is no listing to show.
	Counts []StatusCount `json:"counts,omitempty"`
	// LastSuccessAt is when the newest finished download ended, LastFailureAt when the newest failed one did.
	LastSuccessAt time.Time `json:"last_success_at,omitzero"`
	LastFailureAt time.Time `json:"last_failure_at,omitzero"`
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

// Failed tells whether the newest download failed.
func (p *PlanStatus) Failed() bool { return p.LastFailureAt.After(p.LastSuccessAt) }

// rank orders plans by how much they need a person.
func (p *PlanStatus) rank() int {
	switch {
	case p.Problem != nil:
		return 0
	case p.Failed():
		return 1
	}
	return 2
}

// Status returns the state of all targets and plans. It reads memory only.
func (c *Collector) Status() *Status {
	applied, reload := c.applied.Load(), c.reload.Load()
	s := &Status{
		At:           time.Now(),
		PollInterval: time.Duration(applied.config.PollInterval).Seconds(),
		Reload:       ReloadStatus{OK: reload.ok, GoodAt: reload.goodAt},
		Targets:      []TargetStatus{},
		Plans:        []PlanStatus{},
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
			s.Plans = append(s.Plans, plan)
		}
		s.Targets = append(s.Targets, status)
	}
	slices.SortFunc(s.Plans, func(a, b PlanStatus) int {
		return cmp.Or(
			cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.Account, b.Account), cmp.Compare(a.RegionID, b.RegionID),
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID),
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

func (p *plan) status(now time.Time, staleAfter time.Duration) PlanStatus {
	facts, state := p.facts.Load(), p.state.Load()
	status := PlanStatus{
		ID:             p.id,
		Name:           facts.name,
		DatabaseType:   facts.databaseType,
		LastPollAt:     state.endedAt,
		LastGoodPollAt: state.goodAt,
		Problem:        problem(state.err),
	}
	if !state.fresh(now, staleAfter) {
		return status
	}
	l := state.listing
	for i, name := range statusNames {
		status.Counts = append(status.Counts, StatusCount{Status: name, Tasks: l.counts[i]})
	}
	status.LastSuccessAt, status.LastFailureAt = endOf(l.lastSuccess), l.lastFailure[statusStop]
	return status
}

// problem puts a failure into words; nil stays nil.
func problem(err error) *Problem {
	if err == nil {
		return nil
	}
	return &Problem{Reason: reasonOf(err), Text: err.Error(), Advice: advice(err)}
}
