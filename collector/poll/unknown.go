package poll

import (
	"regexp"
	"sync"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// unknownStatuses logs each undocumented status once.
type unknownStatuses struct {
	mu     sync.Mutex
	logged map[string]bool
}

// maxLoggedStatuses bounds how many are remembered, and so logged, in the life of
// the process.
const maxLoggedStatuses = 64

// plainStatus is what a status looks like. Anything else is not repeated: it
// might be a text with a URL in it.
var plainStatus = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,40}$`)

func (u *unknownStatuses) log(logger log.Logger, planID string, raw []string) {
	for _, status := range raw {
		status = shownStatus(status)
		if u.isNew("task " + status) {
			level.Warn(logger).Log("msg", "Undocumented task status, such tasks count as unknown", "plan_id", planID, "status", status)
		}
	}
}

func (u *unknownStatuses) logGateway(logger log.Logger, id, raw string) {
	status := shownStatus(raw)
	if u.isNew("gateway " + status) {
		level.Warn(logger).Log("msg", "Undocumented gateway status, such gateways count as unknown", "gateway_id", id, "status", status)
	}
}

func shownStatus(raw string) string {
	if !plainStatus.MatchString(raw) {
		return "<redacted>"
	}
	return raw
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
