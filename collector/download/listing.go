package download

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"aliyun_dbs_exporter/dbsapi"
)

// ErrNoRows is returned for a listing without rows if the API does not say
// that the list is empty. Accepting it would show all tasks as gone.
var ErrNoRows = errors.New("the list of download tasks has no rows, but the API gives no total of 0")

// Limits bound the tasks that get series of their own.
type Limits struct {
	// CompletedWithin is how long after its end a task keeps its series.
	CompletedWithin time.Duration
	// MaxPerPlan is the largest number of tasks of a plan.
	MaxPerPlan int
}

// Builder makes a Listing out of the rows of one poll. It judges each row as
// it arrives and keeps full rows only of tasks that may get series.
type Builder struct {
	limits Limits
	now    time.Time
	// endedSince is the earliest end, in milliseconds, that still gets series.
	endedSince int64

	rows   int
	states []state
	// index has the place of each ID in states.
	index      map[string]int32
	duplicates int
	unknown    []string
	candidates []candidate
}

// NewBuilder returns a Builder for a poll at the time now.
func NewBuilder(limits Limits, now time.Time) *Builder {
	limits.MaxPerPlan = max(0, limits.MaxPerPlan)
	return &Builder{
		limits:     limits,
		now:        now,
		endedSince: now.Add(-limits.CompletedWithin).UnixMilli(),
		index:      make(map[string]int32),
	}
}

// Add takes the rows of a page. A list that changes while it is read repeats
// rows; the later row of an ID replaces the earlier one.
func (b *Builder) Add(rows []dbsapi.DownloadTask) {
	b.states = slices.Grow(b.states, len(rows))
	for i := range rows {
		b.add(&rows[i])
	}
}

func (b *Builder) add(row *dbsapi.DownloadTask) {
	s := judge(row)
	s.row = int32(b.rows)
	b.rows++
	if s.status == StatusUnknown {
		b.addUnknown(row.Status)
	}
	place, again := b.index[s.id]
	switch {
	case again:
		b.duplicates++
		b.states[place] = s
	default:
		place = int32(len(b.states))
		b.states = append(b.states, s)
		if s.id != "" {
			b.index[s.id] = place
		}
	}
	if b.eligible(&s) {
		b.addCandidate(row, &s, place)
	}
}

// maxUnknown bounds the undocumented statuses of a listing: they are logged.
const maxUnknown = 8

func (b *Builder) addUnknown(status string) {
	status = LabelValue(status)
	if len(b.unknown) < maxUnknown && !slices.Contains(b.unknown, status) {
		b.unknown = append(b.unknown, strings.Clone(status))
	}
}

// Listing returns what the rows add up to. The total is the API's number of
// tasks, -1 if it gives none; truncated reports that reading stopped before
// the API's own end of the list. The error is [ErrNoRows].
func (b *Builder) Listing(total int64, truncated bool) (*Listing, error) {
	if b.rows == 0 && total != 0 {
		return nil, ErrNoRows
	}
	l := &Listing{
		Sums:    Sums{Rows: b.rows, Tasks: len(b.states), Total: total, Truncated: truncated},
		Unknown: b.unknown,
	}
	l.Invalid[DuplicateID] = b.duplicates
	var last *state
	for i := range b.states {
		s := &b.states[i]
		l.add(s)
		if s.status == StatusFinish && s.finished != 0 && (last == nil || endedLater(s, last) > 0) {
			last = s
		}
	}
	if last != nil {
		task := last.task()
		task.ID = strings.Clone(task.ID)
		l.LastSuccess = &task
	}
	slices.Sort(l.Unknown)
	l.Series, l.Hidden = b.series()
	return l, nil
}

// endedLater compares two finished tasks by their ends. Ties are decided, so
// that equal lists in another order give equal listings.
func endedLater(s, other *state) int {
	return cmp.Or(
		cmp.Compare(s.finished, other.finished),
		cmp.Compare(s.created, other.created),
		strings.Compare(s.id, other.id),
	)
}

// Listing is what a successful poll found. It must not be changed.
type Listing struct {
	Sums
	// LastSuccess is the finished task that ended last, nil if there is none.
	// It has no texts but its ID.
	LastSuccess *Task
	// Series are the tasks that get series of their own, the most urgent
	// first, within the limits that the Builder was given.
	Series []Task
	// Unknown are at most 8 statuses that the API does not document, as it
	// sent them: they may be any text.
	Unknown []string
}

// Sums are the parts of a listing whose size does not depend on its tasks.
type Sums struct {
	// Rows is the number of rows that the API sent, Tasks that of distinct
	// tasks. A row without an ID counts as a task.
	Rows, Tasks int
	// Total is the number of tasks that the API gives, -1 if it gives none.
	Total int64
	// Truncated reports that reading stopped before the end of the list.
	Truncated bool
	// Counts and Bytes are the number of tasks and the sum of their sizes, by
	// status. A sum that exceeds an int64 is its largest value.
	Counts [NumStatuses]int
	Bytes  [NumStatuses]int64
	// Invalid counts rows with a fault.
	Invalid [NumInvalidReasons]int
	// LastFailure is when the last task in status stop or init finished, else
	// was created; zero for none and for other statuses.
	LastFailure [NumStatuses]time.Time
	// OldestCreated is when the oldest task in a status that is not terminal
	// was created; zero for none.
	OldestCreated [NumStatuses]time.Time
	// Hidden counts the tasks that are not in Series.
	Hidden Hidden
}

// Hidden counts tasks with an ID that get no series of their own.
type Hidden struct {
	// Age: they ended too long ago.
	Age int
	// Limit: more urgent tasks come first.
	Limit int
}

// Complete reports whether the distinct tasks cover the API's total. That is
// known if there is a total, or if the listing was truncated.
func (s *Sums) Complete() (complete, known bool) {
	return !s.Truncated && int64(s.Tasks) >= s.Total, s.Truncated || s.Total >= 0
}

// Equal reports whether two listings show the same.
func (l *Listing) Equal(other *Listing) bool {
	if l == nil || other == nil {
		return l == other
	}
	if l.LastSuccess == nil || other.LastSuccess == nil {
		if l.LastSuccess != other.LastSuccess {
			return false
		}
	} else if *l.LastSuccess != *other.LastSuccess {
		return false
	}
	return l.Sums == other.Sums && slices.Equal(l.Series, other.Series) && slices.Equal(l.Unknown, other.Unknown)
}

// add adds one task to the sums.
func (s *Sums) add(t *state) {
	s.Counts[t.status]++
	s.Bytes[t.status] = addSaturated(s.Bytes[t.status], t.bytes)
	for r := range NumInvalidReasons {
		if t.has(r) {
			s.Invalid[r]++
		}
	}
	if t.status == StatusStop || t.status == StatusInit {
		at := timeOf(cmp.Or(t.finished, t.created))
		if at.After(s.LastFailure[t.status]) {
			s.LastFailure[t.status] = at
		}
	}
	if !t.status.Terminal() && t.created != 0 {
		created, oldest := timeOf(t.created), &s.OldestCreated[t.status]
		if oldest.IsZero() || created.Before(*oldest) {
			*oldest = created
		}
	}
}

// addSaturated adds sizes that a faulty API could make overflow.
func addSaturated(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
