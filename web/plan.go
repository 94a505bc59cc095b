package web

import (
	"cmp"
	"slices"
	"time"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/collector/poll"
)

// planState sums up a plan in a word.
type planState string

// The states of a plan. The first one that applies counts.
const (
	// statePollFailing: the last poll failed.
	statePollFailing planState = "poll_failing"
	// stateStale: the last listing is older than stale_after, although no poll
	// has failed since: the plan is polled too seldom.
	stateStale planState = "stale"
	// stateDownloadFailed: the last download that ended failed, or failed its
	// precheck.
	stateDownloadFailed planState = "download_failed"
	// stateOverdue: the last success is older than the plan's max_success_age,
	// or there is none.
	stateOverdue planState = "overdue"
	// stateNotPolled: no poll has ended yet.
	stateNotPolled planState = "not_polled"
	// stateGood: none of these.
	stateGood planState = "good"
)

// planStates are in the order of how much they need a person.
var planStates = []planState{
	statePollFailing, stateStale, stateDownloadFailed, stateOverdue, stateNotPolled, stateGood,
}

// failing reports whether the state needs a person.
func (s planState) failing() bool { return s != stateNotPolled && s != stateGood }

// stateOf returns the state of a plan of which everything else is known.
func stateOf(now time.Time, s *planStatus) planState {
	switch {
	case s.Failure != nil:
		return statePollFailing
	case s.LastPollAt.IsZero():
		return stateNotPolled
	case s.Counts == nil:
		return stateStale
	case s.LastFailureAt.After(s.LastSuccessAt):
		return stateDownloadFailed
	case s.MaxSuccessAge > 0 && now.Sub(s.LastSuccessAt).Seconds() > s.MaxSuccessAge:
		return stateOverdue
	default:
		return stateGood
	}
}

// planStatus is one plan.
type planStatus struct {
	Account      string    `json:"account"`
	RegionID     string    `json:"region_id"`
	ID           string    `json:"plan_id"`
	Name         string    `json:"plan_name,omitempty"`
	DatabaseType string    `json:"database_type,omitempty"`
	State        planState `json:"state"`
	// Gateway is the one that carries the plan's automatic downloads, nil if
	// gateways are not listed or if it is not known.
	Gateway *planGateway `json:"gateway,omitempty"`
	// Counts are the listed tasks by status, in the order of a task's life. They
	// are nil if there is no listing to show: before the first successful poll,
	// and once the last listing is older than stale_after.
	Counts []statusCount `json:"counts,omitempty"`
	// ListingComplete reports whether all tasks were listed; nil if nothing says
	// so: the API gives no total, and the listing was not cut.
	ListingComplete *bool `json:"listing_complete,omitempty"`
	// LastSuccessAt is when the last finished download ended.
	LastSuccessAt time.Time `json:"last_success_at,omitzero"`
	// LastFailureAt is when a download last failed, or failed its precheck, and
	// LastFailure is its status.
	LastFailureAt time.Time `json:"last_failure_at,omitzero"`
	LastFailure   string    `json:"last_failure_status,omitempty"`
	// MaxSuccessAge is the age at which the last success is overdue, 0 if none
	// is configured.
	MaxSuccessAge float64 `json:"max_success_age_seconds,omitempty"`
	// LastPollAt is when the last poll ended, and LastSuccessfulPollAt when the
	// last successful one did.
	LastPollAt           time.Time `json:"last_poll_at,omitzero"`
	LastSuccessfulPollAt time.Time `json:"last_successful_poll_at,omitzero"`
	// Requests is how many requests the last poll sent, and LastFullListingAt when
	// the last one ended that read all tasks.
	Requests          int       `json:"last_poll_requests,omitempty"`
	LastFullListingAt time.Time `json:"last_full_listing_at,omitzero"`
	// Obstacle is why polls of a list of several pages save nothing, or less than
	// they could.
	Obstacle download.Obstacle `json:"obstacle,omitempty"`
	// Idle reports whether no download is expected to change.
	Idle bool `json:"idle,omitempty"`
	// NextPollAt is when the next poll is due; it may have passed.
	NextPollAt time.Time `json:"next_poll_at,omitzero"`
	// Late is how long the next poll has been due, if that is more than a poll
	// interval.
	Late float64 `json:"poll_late_seconds,omitempty"`
	// Running reports whether a poll is in progress.
	Running bool `json:"poll_running,omitempty"`
	// Slow reports whether recent polls were slow or timed out.
	Slow bool `json:"poll_slow,omitempty"`
	// Failure is why the last poll failed, nil if it succeeded.
	Failure *failure `json:"failure,omitempty"`
}

// statusCount is how many tasks have a status.
type statusCount struct {
	Status string `json:"status"`
	Tasks  int    `json:"tasks"`
}

func comparePlans(a, b *planStatus) int {
	return cmp.Or(
		cmp.Compare(slices.Index(planStates, a.State), slices.Index(planStates, b.State)),
		cmp.Compare(b.Late, a.Late),
		cmp.Compare(a.Account, b.Account),
		cmp.Compare(a.RegionID, b.RegionID),
		cmp.Compare(a.Name, b.Name),
		cmp.Compare(a.ID, b.ID),
	)
}

func newPlanStatus(now time.Time, target *poll.Target, p *poll.Plan) *planStatus {
	status := &planStatus{
		Account:              target.ID.Account,
		RegionID:             target.ID.RegionID,
		ID:                   p.ID,
		Name:                 p.Info.Name,
		DatabaseType:         p.Info.DatabaseType,
		MaxSuccessAge:        p.Info.MaxSuccessAge.Seconds(),
		LastPollAt:           p.Poll.EndedAt,
		LastSuccessfulPollAt: p.Poll.SucceededAt,
		Requests:             p.Poll.Requests,
		LastFullListingAt:    p.Poll.FullListingAt,
		Idle:                 p.Poll.Idle,
		NextPollAt:           p.Poll.Due,
		Late:                 p.Poll.Late.Seconds(),
		Running:              p.Poll.Running,
		Slow:                 p.Poll.Slow,
		Failure:              newFailure(p.Poll.Failure),
		Gateway:              newPlanGateway(target.Gateways, p.Info),
	}
	if p.Poll.Obstacle != download.OnePage {
		status.Obstacle = p.Poll.Obstacle
	}
	if p.Listing != nil {
		status.show(p.Listing)
	}
	status.State = stateOf(now, status)
	return status
}

// show takes over what a listing says.
func (s *planStatus) show(l *download.Listing) {
	s.Counts = make([]statusCount, 0, download.NumStatuses)
	for status, tasks := range l.Counts {
		s.Counts = append(s.Counts, statusCount{Status: download.Status(status).String(), Tasks: tasks})
	}
	if complete, known := l.Complete(); known {
		s.ListingComplete = &complete
	}
	if l.LastSuccess != nil {
		s.LastSuccessAt = l.LastSuccess.EndedAt()
	}
	for _, status := range []download.Status{download.StatusInit, download.StatusStop} {
		if at := l.LastFailure[status]; at.After(s.LastFailureAt) {
			s.LastFailureAt, s.LastFailure = at, status.String()
		}
	}
}

// Incomplete reports whether tasks are known to be missing from the listing.
func (s *planStatus) Incomplete() bool { return s.ListingComplete != nil && !*s.ListingComplete }
