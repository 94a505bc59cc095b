package web

import (
	"fmt"
	"html/template"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"aliyun_dbs_exporter/collector"
	"aliyun_dbs_exporter/dbsapi"
)

// words are the functions of the status page's template.
var words = template.FuncMap{
	"duration": duration,
	"interval": func(seconds float64) string { return model.Duration(seconds * float64(time.Second)).String() },
	"next":     func(n int) int { return n + 1 },
	"previous": func(n int) int { return n - 1 },
	"policy":   policy,
	"reason":   func(r dbsapi.Reason) string { return reasons[r] },
	"state":    func(s collector.PlanState) label { return find(states, string(s)) },
	"states":   func() []label { return states },
	"status":   func(s string) label { return find(statuses, s) },
	"statuses": func() []label { return statuses },
}

// label shows a value in a word and a colour. The class names the colour; no colour says what the word does not.
type label struct{ Value, Class, Word, Meaning string }

func find(labels []label, value string) label {
	i := slices.IndexFunc(labels, func(l label) bool { return l.Value == value })
	if i < 0 {
		return label{value, "idle", value, ""}
	}
	return labels[i]
}

// states are those of a plan, those that need a person first.
var states = []label{
	{string(collector.PlanPollFailing), "bad", "poll failing", "The newest poll failed; what is shown of downloads is from an older one."},
	{string(collector.PlanDownloadFailed), "bad", "download failed", "The newest download that ended failed, or failed its precheck."},
	{string(collector.PlanOverdue), "warn", "overdue", "The newest success is older than the plan's max_success_age, or there is none."},
	{string(collector.PlanNotPolled), "idle", "not polled yet", "No poll of the plan has ended yet."},
	{string(collector.PlanGood), "good", "good", "None of these."},
}

// statuses are those of a download task, in the order of its life, as the API's documentation explains them.
var statuses = []label{
	{dbsapi.StatusChecking, "info", "checking", "The precheck runs."},
	{dbsapi.StatusInit, "bad", "precheck failed", "The precheck failed, so the download does not start."},
	{dbsapi.StatusCheckPass, "info", "prechecked", "The precheck is passed."},
	{dbsapi.StatusSchedule, "info", "queued", "The download waits for its turn."},
	{dbsapi.StatusRunning, "info", "running", "The download runs."},
	{dbsapi.StatusPause, "warn", "paused", "The download is paused."},
	{dbsapi.StatusStop, "bad", "failed", "The download failed."},
	{dbsapi.StatusFinish, "good", "finished", "The download is complete."},
	{"unknown", "warn", "unknown", "The API gave a status that it does not document; the log has it."},
}

var reasons = map[dbsapi.Reason]string{
	dbsapi.ReasonCredentials:    "No credentials",
	dbsapi.ReasonAuth:           "Credentials rejected",
	dbsapi.ReasonForbidden:      "Permission missing",
	dbsapi.ReasonThrottled:      "Throttled",
	dbsapi.ReasonNotFound:       "Not found",
	dbsapi.ReasonInvalidRequest: "Call not understood",
	dbsapi.ReasonServer:         "Service failed",
	dbsapi.ReasonTimeout:        "No answer in time",
	dbsapi.ReasonNetwork:        "Endpoint not reached",
	dbsapi.ReasonDecode:         "Answer not readable",
	dbsapi.ReasonOther:          "Failed",
}

// policy is the statement of a RAM policy that allows an action.
func policy(action string) string {
	return fmt.Sprintf("{\n  \"Effect\": \"Allow\",\n  \"Action\": %q,\n  \"Resource\": \"*\"\n}", action)
}

// moment is a time as it is shown at another.
type moment struct{ at, now time.Time }

// Known tells whether there is a time at all.
func (m moment) Known() bool { return !m.at.IsZero() }

// Past tells whether the time is over.
func (m moment) Past() bool { return !m.at.After(m.now) }

// Machine is the time for the attribute datetime.
func (m moment) Machine() string { return m.at.UTC().Format(time.RFC3339) }

// Exact is the time for people who want to know exactly.
func (m moment) Exact() string { return m.at.UTC().Format("2006-01-02 15:04:05 UTC") }

// Short is the time for people who want to know about when.
func (m moment) Short() string { return m.at.UTC().Format("2006-01-02 15:04 UTC") }

// Relative is the time for people who want to see.
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

// duration writes seconds with one unit, or two where one would be coarse.
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
