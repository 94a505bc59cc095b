package web

import (
	"fmt"
	"html/template"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi"
)

// words are the functions of the status page's template.
var words = template.FuncMap{
	"duration":  duration,
	"gateway":   func(s string) badge { return find(gatewayStates, s) },
	"gateways":  func() []badge { return gatewayStates },
	"interval":  func(seconds float64) string { return model.Duration(seconds * float64(time.Second)).String() },
	"obstacle":  func(o download.Obstacle) badge { return find(obstacles, string(o)) },
	"obstacles": func() []badge { return obstacles },
	"next":      func(n int) int { return n + 1 },
	"plans":     func(n int) string { return plural(n, "plan") },
	"policy":    policy,
	"previous":  func(n int) int { return n - 1 },
	"reason":    func(r dbsapi.Reason) string { return reasons[r] },
	"state":     func(s planState) badge { return find(states, string(s)) },
	"states":    func() []badge { return states },
	"status":    func(s string) badge { return find(statuses, s) },
	"statuses":  func() []badge { return statuses },
	"timings":   func() []badge { return timings },
}

// badge is how a value is shown. The class gives it a color, which repeats what
// the word says, for readers who cannot see it.
type badge struct{ Value, Class, Word, Meaning string }

func find(badges []badge, value string) badge {
	i := slices.IndexFunc(badges, func(b badge) bool { return b.Value == value })
	if i < 0 {
		return badge{value, "idle", value, ""}
	}
	return badges[i]
}

// states are the states of a plan, in the order of planStates.
var states = []badge{
	{
		string(statePollFailing), "bad", "poll failing",
		"The last poll failed. The downloads shown are from an earlier poll.",
	},
	{
		string(stateStale), "bad", "stale",
		"The last listing is older than stale_after, because the plan is polled too seldom.",
	},
	{
		string(stateDownloadFailed), "bad", "download failed",
		"The last download that ended failed, or failed its precheck.",
	},
	{
		string(stateOverdue), "warn", "overdue",
		"The last success is older than the plan's max_success_age, or there is none.",
	},
	{string(stateNotPolled), "idle", "not polled yet", "No poll of the plan has ended yet."},
	{string(stateGood), "good", "good", "None of these."},
}

// timings say how polls keep to the schedule. Each is shown in its place in the
// template; the list explains the words.
var timings = []badge{
	{"late", "warn", "late", "The next poll has been due for more than a poll interval."},
	{
		"slow", "idle", "slow",
		"Recent polls were slow or timed out, so the plan shares half of its target's requests with other slow plans.",
	},
	{
		"skipped", "idle", "skipped",
		"The next due time of a plan came before its poll began, so the plan was polled less often.",
	},
}

// obstacles are why polls of a list of several pages save nothing, or less than
// they could.
var obstacles = []badge{
	{
		string(download.NoOrder), "idle", "no order",
		"New downloads can appear anywhere in the plan's list, so a poll that finds one reads all of it.",
	},
	{
		string(download.NoTotal), "idle", "no total",
		"The API gives no total of the plan's list, or one that is too low, so every poll reads all of it.",
	},
	{
		string(download.UnevenPages), "idle", "uneven pages",
		"Pages of the plan's list have different numbers of rows, so every poll reads all of it.",
	},
	{
		string(download.Unsettled), "idle", "unsettled",
		"Downloads that may still change are on so many pages of the plan's list that every poll reads all of it.",
	},
	{
		string(download.Unsure), "idle", "unsure",
		"The plan's list changed while it was read, or does not have as many rows as the API says, so the next poll reads all of it.",
	},
}

// statuses are those of a download task, in the order of its life, as the API's
// documentation explains them.
var statuses = []badge{
	{dbsapi.StatusChecking, "info", "checking", "The precheck is running."},
	{dbsapi.StatusInit, "bad", "precheck failed", "The precheck failed, so the download does not start."},
	{dbsapi.StatusCheckPass, "info", "prechecked", "The precheck has passed."},
	{dbsapi.StatusSchedule, "info", "queued", "The download is waiting to be scheduled."},
	{dbsapi.StatusRunning, "info", "running", "The download is running."},
	{dbsapi.StatusPause, "warn", "paused", "The download is paused."},
	{dbsapi.StatusStop, "bad", "failed", "The download failed."},
	{dbsapi.StatusFinish, "good", "finished", "The download is complete."},
	{"unknown", "warn", "unknown", "The API returned a status that it does not document. The log names it."},
}

// gatewayStates are those of a backup gateway.
var gatewayStates = []badge{
	{string(poll.GatewayOnline), "good", "online", "The gateway reports to DBS."},
	{string(poll.GatewayOffline), "bad", "offline", "The gateway does not report to DBS, so the downloads that it carries wait."},
	{string(poll.GatewayStopped), "bad", "stopped", "The gateway is stopped, so the downloads that it carries wait."},
	{string(poll.GatewayUpgrading), "warn", "upgrading", "The gateway is being upgraded; the downloads that it carries wait."},
	{string(poll.GatewayUnknown), "warn", "unknown", "The API returned a gateway status that it does not document. The log names it."},
	{gatewaySilent, "warn", "silent", "The gateway counts as online, but its last heartbeat is over 10 minutes old."},
	{gatewayNotListed, "warn", "not listed", "The plan names a gateway that the account does not have in this region."},
}

// reasons are titles of failures.
var reasons = map[dbsapi.Reason]string{
	dbsapi.ReasonCredentials:    "No credentials",
	dbsapi.ReasonAuth:           "Credentials rejected",
	dbsapi.ReasonForbidden:      "Access denied",
	dbsapi.ReasonThrottled:      "Throttled",
	dbsapi.ReasonNotFound:       "Not found",
	dbsapi.ReasonInvalidRequest: "Request not understood",
	dbsapi.ReasonServer:         "Server error",
	dbsapi.ReasonTimeout:        "Timed out",
	dbsapi.ReasonNetwork:        "Endpoint not reached",
	dbsapi.ReasonDecode:         "Answer not readable",
	dbsapi.ReasonOther:          "Unexpected answer",
}

// policy returns the statement of a RAM policy that allows an action.
func policy(action string) string {
	return fmt.Sprintf("{\n  \"Effect\": \"Allow\",\n  \"Action\": %q,\n  \"Resource\": \"*\"\n}", action)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// moment is a time, and the time at which the page shows it.
type moment struct{ at, now time.Time }

// Known reports whether the time is set.
func (m moment) Known() bool { return !m.at.IsZero() }

// Past reports whether the time has passed.
func (m moment) Past() bool { return !m.at.After(m.now) }

// Datetime formats the time for the attribute datetime.
func (m moment) Datetime() string { return m.at.UTC().Format(time.RFC3339) }

// Exact formats the time to the second.
func (m moment) Exact() string { return m.at.UTC().Format("2006-01-02 15:04:05 UTC") }

// Short formats the time to the minute.
func (m moment) Short() string { return m.at.UTC().Format("2006-01-02 15:04 UTC") }

// Relative formats the distance to the time, such as "3 min ago".
func (m moment) Relative() string {
	switch ahead := m.at.Sub(m.now); {
	case ahead.Abs() < time.Second:
		return "now"
	case ahead < 0:
		return duration(-ahead.Seconds()) + " ago"
	default:
		return "in " + duration(ahead.Seconds())
	}
}

// duration formats seconds in one unit, or in two if one would be coarse.
func duration(seconds float64) string {
	const (
		minute = 60
		hour   = 60 * minute
		day    = 24 * hour
	)
	two := func(n, big int, bigUnit string, small int, smallUnit string) string {
		text := fmt.Sprintf("%d %s", n/big, bigUnit)
		if rest := n % big / small; rest > 0 && n/big < 10 {
			text += fmt.Sprintf(" %d %s", rest, smallUnit)
		}
		return text
	}
	switch n := int(seconds); {
	case n < minute:
		return fmt.Sprintf("%d s", n)
	case n < hour:
		return fmt.Sprintf("%d min", n/minute)
	case n < 2*day:
		return two(n, hour, "h", minute, "min")
	default:
		return two(n, day, "days", hour, "h")
	}
}
