package download

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"time"
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

// below reports whether other limits may show tasks that these do not.
func (l Limits) below(other Limits) bool {
	return l.CompletedWithin < other.CompletedWithin || l.MaxPerPlan < other.MaxPerPlan
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
	// Unknown are at most 8 statuses that the API does not document and that
	// rows had since the last full listing, as it sent them: they may be any
	// text.
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
func (s *Sums) add(r *record) {
	s.Counts[r.status]++
	s.Bytes[r.status] = addSaturated(s.Bytes[r.status], r.bytes)
	if r.invalid != 0 {
		for reason := range NumInvalidReasons {
			if r.has(reason) {
				s.Invalid[reason]++
			}
		}
	}
	if r.status == StatusStop || r.status == StatusInit {
		at := timeOf(cmp.Or(r.finished, r.created))
		if at.After(s.LastFailure[r.status]) {
			s.LastFailure[r.status] = at
		}
	}
	if !r.status.Terminal() && r.created != 0 {
		created, oldest := timeOf(r.created), &s.OldestCreated[r.status]
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
