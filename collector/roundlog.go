package collector

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"aliyun_dbs_exporter/dbsapi"
)

// reasonOf returns the class of a poll's failure.
func reasonOf(err error) dbsapi.Reason {
	var apiErr *dbsapi.Error
	switch {
	case errors.As(err, &apiErr):
		return apiErr.Reason()
	case errors.Is(err, context.DeadlineExceeded):
		return dbsapi.ReasonTimeout
	}
	return dbsapi.ReasonOther
}

// maxNamedPlans bounds the plans that a round's log line names; the metrics tell them all.
const maxNamedPlans = 5

// logRound writes one line about the round that just ended.
func (t *target) logRound() {
	var (
		failed  []string
		first   error
		plans   = *t.plans.Load()
		reasons = make(map[dbsapi.Reason]int)
	)
	for _, p := range plans {
		if err := p.state.Load().err; err != nil {
			if first == nil {
				first = err
			}
			failed = append(failed, p.id)
			reasons[reasonOf(err)]++
		}
	}
	if len(failed) == 0 {
		level.Debug(t.logger).Log("msg", "Poll round ended", "plans", len(plans))
		return
	}
	level.Warn(t.logger).Log(
		"msg", "Poll round ended with failures, the last good data of these plans ages",
		"plans", len(plans), "failed", len(failed), "reasons", countList(reasons), "plan_ids", shortList(failed),
		"err", first, "advice", advice(first),
	)
}

// advice says what a person can do about a failure.
func advice(err error) string {
	if apiErr, ok := errors.AsType[*dbsapi.Error](err); ok {
		return apiErr.Advice()
	}
	return ""
}

func countList(reasons map[dbsapi.Reason]int) string {
	var parts []string
	for reason, n := range reasons {
		parts = append(parts, fmt.Sprintf("%s=%d", reason, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

func shortList(ids []string) string {
	if len(ids) <= maxNamedPlans {
		return strings.Join(ids, ",")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(ids[:maxNamedPlans], ","), len(ids)-maxNamedPlans)
}

// unknownStatuses logs each undocumented status once.
type unknownStatuses struct {
	mu     sync.Mutex
	logged map[string]bool
}

// maxLoggedStatuses bounds how many are remembered, and so logged, in the life of the process.
const maxLoggedStatuses = 64

// statusWord is what a status looks like. Anything else is not repeated: it might be a text with a URL in it.
var statusWord = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,40}$`)

func (u *unknownStatuses) log(logger log.Logger, planID string, raw []string) {
	for _, status := range raw {
		if !statusWord.MatchString(status) {
			status = "(no plain word)"
		}
		if u.isNew(status) {
			level.Warn(logger).Log("msg", "Undocumented task status, such tasks count as unknown", "plan_id", planID, "status", status)
		}
	}
}

func (u *unknownStatuses) isNew(status string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.logged[status] || len(u.logged) >= maxLoggedStatuses {
		return false
	}
	if u.logged == nil {
		u.logged = make(map[string]bool)
	}
	u.logged[status] = true
	return true
}
