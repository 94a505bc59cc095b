package collector

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"aliyun_dbs_exporter/dbsapi"
)

// status is a task's status as an index into statusNames.
type status int

const (
	statusChecking status = iota
	statusInit
	statusCheckPass
	statusSchedule
	statusRunning
	statusPause
	statusStop
	statusFinish
	statusUnknown
	statusCount
)

// statusNames are the values of the label status.
var statusNames = [statusCount]string{
	dbsapi.StatusChecking, dbsapi.StatusInit, dbsapi.StatusCheckPass, dbsapi.StatusSchedule, dbsapi.StatusRunning,
	dbsapi.StatusPause, dbsapi.StatusStop, dbsapi.StatusFinish, "unknown",
}

func (s status) String() string { return statusNames[s] }

// terminal tells whether a status is final.
func (s status) terminal() bool { return s == statusStop || s == statusFinish }

// rank orders tasks by how long they keep their series where a limit cuts: what needs a person first, what is done last.
func (s status) rank() int {
	switch s {
	case statusStop, statusInit, statusPause:
		return 0
	case statusFinish:
		return 2
	}
	return 1
}

func parseStatus(raw string) status {
	if i := slices.Index(statusNames[:statusUnknown], strings.TrimSpace(raw)); i >= 0 {
		return status(i)
	}
	return statusUnknown
}

// fault is what can be wrong with a row, as an index into faultNames.
type fault int

const (
	faultMissingID fault = iota
	faultDuplicateID
	faultBadTime
	faultNegativeDuration
	faultBadSize
	faultCount
)

// faultNames are the values of the label reason of download_invalid_tasks.
var faultNames = [faultCount]string{"missing_id", "duplicate_id", "bad_time", "negative_duration", "bad_size"}

// task is a row with its status understood.
type task struct {
	dbsapi.DownloadTask
	status status
}

// at is when a task ended, else when it was created; zero if neither is known.
func (t *task) at() time.Time {
	if t.status.terminal() && !t.Finished.IsZero() {
		return t.Finished
	}
	return t.Created
}

// duration is the time from creation to end of a task that has ended.
func (t *task) duration() (time.Duration, bool) {
	if !t.status.terminal() || t.Created.IsZero() || t.Finished.IsZero() || t.Finished.Before(t.Created) {
		return 0, false
	}
	return t.Finished.Sub(t.Created), true
}

// backupType is the value of the label backup_type.
func (t *task) backupType() string {
	switch t.JobType {
	case dbsapi.JobTypeFull:
		return backupFull
	case dbsapi.JobTypeIncremental:
		return backupIncremental
	}
	return backupUnknown
}

const (
	backupFull        = "full"
	backupIncremental = "incremental"
	backupUnknown     = "unknown"
)

// listing is what a good poll found. It is not changed once it is published.
type listing struct {
	// rows is how many the API sent, those that come again included.
	rows   int
	counts [statusCount]int
	bytes  [statusCount]int64
	faults [faultCount]int
	// complete: the distinct tasks cover the total that the API gave.
	complete bool
	// lastSuccess is the finished task that ended last, nil for none.
	lastSuccess *task
	// lastFailure is when the newest task in status stop or init ended, else was created.
	lastFailure [statusCount]time.Time
	// oldest is when the oldest task in a status that is not terminal was created.
	oldest [statusCount]time.Time
	// tasks have series of their own, those that need a person first.
	tasks []task
	// hiddenByAge and hiddenByLimit count the other tasks.
	hiddenByAge, hiddenByLimit int
	// unknown are the raw statuses that the API does not document.
	unknown []string
}

// newListing sums up the rows of a listing. cut tells that it ended before the API's own end.
func newListing(rows []dbsapi.DownloadTask, total int64, cut bool, c TaskSeriesConfig, now time.Time) (*listing, []task) {
	l := &listing{rows: len(rows)}
	tasks := l.distinct(rows)
	for i := range tasks {
		l.count(&tasks[i])
	}
	l.complete = !cut && int64(len(tasks)) >= total
	if c.Enabled {
		l.choose(tasks, c, now)
	}
	return l, tasks
}

// distinct understands the rows and drops those whose ID comes again: a list that changes while it is paged repeats
// rows, and the later one is newer.
func (l *listing) distinct(rows []dbsapi.DownloadTask) []task {
	tasks := make([]task, 0, len(rows))
	index := make(map[string]int, len(rows))
	for _, row := range rows {
		row.ID = label(row.ID) // before it is compared, so that two cut IDs cannot make the same series
		t := task{DownloadTask: row, status: parseStatus(row.Status)}
		if i, again := index[row.ID]; again && row.ID != "" {
			l.faults[faultDuplicateID]++
			tasks[i] = t
			continue
		}
		index[row.ID] = len(tasks)
		tasks = append(tasks, t)
	}
	return tasks
}

// count adds one task to the sums.
func (l *listing) count(t *task) {
	l.counts[t.status]++
	l.bytes[t.status] = addSaturated(l.bytes[t.status], t.DataBytes)
	l.countFaults(t)
	switch {
	case t.status == statusUnknown && !slices.Contains(l.unknown, t.Status) && len(l.unknown) < maxUnknown:
		l.unknown = append(l.unknown, t.Status)
	case t.status == statusFinish && t.Finished.After(endOf(l.lastSuccess)):
		last := *t // a copy, so that it does not hold on to all rows
		l.lastSuccess = &last
	case t.status == statusStop || t.status == statusInit:
		if at := cmp.Or(t.Finished, t.Created); at.After(l.lastFailure[t.status]) {
			l.lastFailure[t.status] = at
		}
	}
	if oldest := l.oldest[t.status]; !t.status.terminal() && !t.Created.IsZero() && (oldest.IsZero() || t.Created.Before(oldest)) {
		l.oldest[t.status] = t.Created
	}
}

// maxUnknown bounds how many undocumented statuses of one listing are logged.
const maxUnknown = 8

func endOf(t *task) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Finished
}

// countFaults counts what is wrong with a row. A missing end is a fault of a finished task only: one that failed may
// never have had an end.
func (l *listing) countFaults(t *task) {
	if t.ID == "" {
		l.faults[faultMissingID]++
	}
	if t.BadTime || t.Created.IsZero() || t.status == statusFinish && t.Finished.IsZero() {
		l.faults[faultBadTime]++
	}
	if t.status.terminal() && !t.Finished.IsZero() && t.Finished.Before(t.Created) {
		l.faults[faultNegativeDuration]++
	}
	if t.BadSize {
		l.faults[faultBadSize]++
	}
}

// choose picks the tasks that get series of their own. Rows without an ID cannot have any.
func (l *listing) choose(tasks []task, c TaskSeriesConfig, now time.Time) {
	oldest := now.Add(-time.Duration(c.CompletedWithin))
	for _, t := range tasks {
		switch {
		case t.ID == "":
		case t.status.terminal() && t.at().Before(oldest):
			l.hiddenByAge++
		default:
			l.tasks = append(l.tasks, t)
		}
	}
	slices.SortFunc(l.tasks, func(a, b task) int { return byUrgency(&a, &b) })
	if extra := len(l.tasks) - c.MaxPerPlan; extra > 0 {
		l.tasks, l.hiddenByLimit = slices.Clip(l.tasks[:c.MaxPerPlan]), extra
	}
}

// byUrgency puts first what keeps its series longest: by rank, then the newest.
func byUrgency(a, b *task) int {
	return cmp.Or(
		cmp.Compare(a.status.rank(), b.status.rank()),
		b.at().Compare(a.at()),
		cmp.Compare(a.ID, b.ID),
	)
}

// maxLabelBytes bounds label values that come from the API; names in the console are far shorter.
const maxLabelBytes = 256

// label makes a text fit for a label value: valid UTF-8 and bounded.
func label(s string) string {
	if len(s) > maxLabelBytes {
		s = s[:maxLabelBytes]
	}
	return strings.ToValidUTF8(s, "")
}

// addSaturated adds sizes, which a faulty API could make overflow.
func addSaturated(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
