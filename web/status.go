package web

import (
	"slices"
	"time"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi"
)

// about is what does not change while the process runs.
type about struct {
	Version    string    `json:"version"`
	Revision   string    `json:"revision"`
	StartedAt  time.Time `json:"started_at"`
	ConfigFile string    `json:"config_file"`
}

// document is the state at one moment: the answer of /api/v1/status, and what
// the page shows. It holds no secret, no URL and no text of the API but its
// error codes and request IDs.
type document struct {
	about
	At           time.Time `json:"at"`
	Uptime       float64   `json:"uptime_seconds"`
	PollInterval float64   `json:"poll_interval_seconds"`
	// Shard is nil if this process polls all plans.
	Shard   *shardStatus   `json:"shard,omitempty"`
	Reload  reloadStatus   `json:"reload"`
	Targets []targetStatus `json:"targets"`
	// Plans are ordered by state, those that need a person first, then by how
	// late they are, then by account, region and name.
	Plans []*planStatus `json:"plans"`
}

// shardStatus is the part of the plans that this process polls.
type shardStatus struct {
	// Index counts from 0.
	Index int `json:"index"`
	Count int `json:"count"`
}

// reloadStatus is the outcome of the last attempt to load the configuration.
type reloadStatus struct {
	OK bool `json:"ok"`
	// SucceededAt is when the configuration in use was loaded.
	SucceededAt time.Time `json:"succeeded_at"`
	// Error is why the last attempt failed. It holds no value of the file.
	Error string `json:"error,omitempty"`
}

// failure is why the last poll of a plan, or the last list of plans, failed.
type failure struct {
	Reason     dbsapi.Reason `json:"reason"`
	Text       string        `json:"text"`
	Advice     string        `json:"advice,omitempty"`
	Permission string        `json:"permission,omitempty"`
}

// targetStatus is one account in one region.
type targetStatus struct {
	Account  string `json:"account"`
	RegionID string `json:"region_id"`
	// Endpoint is the host of the API.
	Endpoint        string `json:"endpoint"`
	CredentialsType string `json:"credentials_type"`
	// CredentialsExpireAt is zero if they do not expire, or if it is not known
	// when.
	CredentialsExpireAt time.Time `json:"credentials_expire_at,omitzero"`
	// Plans counts the plans that are polled, and Failing those that need a
	// person.
	Plans   int `json:"plans"`
	Failing int `json:"failing"`
	// Late, Running and Slow count the plans whose polls are.
	Late    int `json:"late"`
	Running int `json:"running"`
	Slow    int `json:"slow"`
	// Skipped counts the due times of plans that passed without a poll, since
	// the target is configured.
	Skipped uint64 `json:"skipped_polls"`
	// Discovery is nil if it is off.
	Discovery *discoveryStatus `json:"discovery,omitempty"`
	// Gateways is nil if they are not listed.
	Gateways *gatewaysStatus `json:"gateways,omitempty"`
	Budget   budgetStatus    `json:"budget"`
}

// listStatus is the outcome of a target's lists of one kind.
type listStatus struct {
	// Tried reports whether the first list has ended.
	Tried bool `json:"tried"`
	// Fresh reports whether the last successful list is recent enough to be
	// shown.
	Fresh bool `json:"fresh"`
	// SucceededAt is when the last successful list ended, zero before the first.
	SucceededAt time.Time `json:"succeeded_at,omitzero"`
	// NextListAt is when the next list is due.
	NextListAt time.Time `json:"next_list_at,omitzero"`
	Failure    *failure  `json:"failure,omitempty"`
}

func newListStatus(l *poll.List) listStatus {
	return listStatus{
		Tried: l.Tried, Fresh: l.Fresh, SucceededAt: l.SucceededAt, NextListAt: l.Due, Failure: newFailure(l.Failure),
	}
}

// discoveryStatus is the outcome of a target's lists of plans.
type discoveryStatus struct {
	listStatus
	// Plans counts the listed plans that this process polls.
	Plans int `json:"plans"`
}

// budgetStatus compares the requests that polls need in a poll interval with
// those that the rate allows, for all targets with the same account and
// endpoint.
type budgetStatus struct {
	// Needed does not include the plans that were never listed, because the
	// number of their pages is not known. Unlisted counts these plans.
	Needed   int `json:"requests_needed"`
	Allowed  int `json:"requests_allowed"`
	Unlisted int `json:"plans_not_listed"`
}

// Fits reports whether the known needs fit.
func (b budgetStatus) Fits() bool { return b.Needed <= b.Allowed }

// newDocument shows a snapshot and the outcome of the last reload.
func newDocument(a about, s *poll.Snapshot, last config.Outcome) document {
	d := document{
		about:        a,
		At:           s.At,
		Uptime:       s.At.Sub(a.StartedAt).Seconds(),
		PollInterval: time.Duration(s.Config.PollInterval).Seconds(),
		Reload:       reloadStatus{OK: last.OK, SucceededAt: last.At},
		Targets:      make([]targetStatus, len(s.Targets)),
		Plans:        []*planStatus{},
	}
	if s.Shard.Count > 1 {
		d.Shard = &shardStatus{Index: s.Shard.Index, Count: s.Shard.Count}
	}
	if last.Err != nil {
		d.Reload.Error = last.Err.Error()
	}
	for i := range s.Targets {
		target := &s.Targets[i]
		d.Targets[i] = newTargetStatus(target)
		for j := range target.Plans {
			plan := newPlanStatus(s.At, target, &target.Plans[j])
			d.Targets[i].count(plan)
			d.Plans = append(d.Plans, plan)
		}
	}
	slices.SortFunc(d.Plans, comparePlans)
	return d
}

func newTargetStatus(t *poll.Target) targetStatus {
	status := targetStatus{
		Account:             t.ID.Account,
		RegionID:            t.ID.RegionID,
		Endpoint:            t.Config.Quota().Endpoint,
		CredentialsType:     t.Config.CredentialsType(),
		CredentialsExpireAt: t.CredentialsExpireAt,
		Plans:               len(t.Plans),
		Skipped:             t.Skipped,
		Budget:              budgetStatus{Needed: t.Budget.Needed, Allowed: t.Budget.Allowed, Unlisted: t.Budget.Unlisted},
	}
	if t.PlanList != nil {
		status.Discovery = &discoveryStatus{newListStatus(&t.PlanList.List), t.PlanList.Wanted}
	}
	if t.Gateways != nil {
		status.Gateways = newGatewaysStatus(t.Gateways)
	}
	return status
}

// count adds a plan of the target to its numbers.
func (t *targetStatus) count(plan *planStatus) {
	if plan.State.failing() {
		t.Failing++
	}
	if plan.Late > 0 {
		t.Late++
	}
	if plan.Running {
		t.Running++
	}
	if plan.Slow {
		t.Slow++
	}
}

// newFailure shows a failure; nil stays nil.
func newFailure(f *poll.Failure) *failure {
	if f == nil {
		return nil
	}
	return &failure{Reason: f.Reason, Text: f.Text, Advice: f.Advice, Permission: f.Permission}
}
