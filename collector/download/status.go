package download

import (
	"slices"
	"strings"

	"aliyun_dbs_exporter/dbsapi"
)

// Status is the state of a download task.
type Status uint8

// The statuses that the API documents, in the order in which a task passes
// them, and StatusUnknown for every other one.
const (
	StatusChecking Status = iota
	StatusInit
	StatusCheckPass
	StatusSchedule
	StatusRunning
	StatusPause
	StatusStop
	StatusFinish
	StatusUnknown
	// NumStatuses is the number of statuses: range over it, or size an array.
	NumStatuses
)

var statusNames = [NumStatuses]string{
	dbsapi.StatusChecking, dbsapi.StatusInit, dbsapi.StatusCheckPass, dbsapi.StatusSchedule,
	dbsapi.StatusRunning, dbsapi.StatusPause, dbsapi.StatusStop, dbsapi.StatusFinish, "unknown",
}

// ParseStatus returns the status that the API calls by this name, ignoring
// surrounding space.
func ParseStatus(name string) Status {
	if i := slices.Index(statusNames[:StatusUnknown], strings.TrimSpace(name)); i >= 0 {
		return Status(i)
	}
	return StatusUnknown
}

// String returns the API's name of the status, or "unknown". It is the value
// of the label status.
func (s Status) String() string { return statusNames[s] }

// Terminal reports whether a task in this status has ended. It may still be
// started again.
func (s Status) Terminal() bool { return s == StatusStop || s == StatusFinish }

// NeedsAttention reports whether a task in this status stays as it is until
// a person acts: it failed, its precheck failed, or it is paused.
func (s Status) NeedsAttention() bool {
	return s == StatusStop || s == StatusInit || s == StatusPause
}

// rank orders tasks under a limit on series: those that need attention first,
// finished ones last.
func (s Status) rank() int {
	switch {
	case s.NeedsAttention():
		return 0
	case s == StatusFinish:
		return 2
	}
	return 1
}
