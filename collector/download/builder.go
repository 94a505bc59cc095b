package download

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"

	"aliyun_dbs_exporter/dbsapi"
)

// Builder makes a Listing out of the rows of a plan. It judges each row as it
// arrives, keeps 40 bytes of each task besides its ID, and full rows only of
// tasks that may get series.
type Builder struct {
	table
	limits Limits
	now    time.Time
	// endedSince is the earliest end, in milliseconds, that still gets series.
	endedSince int64
	duplicates int
	unknown    []string
	// kept are the tasks whose texts are known since the last Listing, candidates
	// those that may get series in the next one.
	kept       []Task
	candidates []candidate
}

// NewBuilder returns a Builder for a poll at the time now.
func NewBuilder(limits Limits, now time.Time) *Builder {
	b := new(Builder)
	b.begin(limits, now)
	return b
}

// begin sets the limits and the time of a poll, which begins with the texts that
// the last one kept.
func (b *Builder) begin(limits Limits, now time.Time) {
	limits.MaxPerPlan = min(max(0, limits.MaxPerPlan), maxSeries)
	b.limits, b.now = limits, now
	b.endedSince = now.Add(-limits.CompletedWithin).UnixMilli()
	b.candidates = make([]candidate, len(b.kept))
	for i := range b.kept {
		b.candidates[i] = candidate{b.kept[i], true}
	}
}

// Add takes the rows of a page. A list that changes while it is read repeats
// rows; the later row of an ID replaces the earlier one.
func (b *Builder) Add(rows []dbsapi.DownloadTask) {
	idBytes := 0
	for i := range rows {
		idBytes += min(len(rows[i].ID), maxLabelBytes)
	}
	b.grow(len(rows), idBytes)
	for i := range rows {
		row := &rows[i]
		id, r := judge(row)
		place := int32(-1)
		if id != "" {
			place = b.find(id)
		}
		if place < 0 {
			b.add(id, r)
		} else {
			b.duplicates++
			b.set(place, r)
			b.withdraw(id)
		}
		if r.status == StatusUnknown {
			b.addUnknown(LabelValue(row.Status))
		}
		if b.wants(&r) {
			b.offer(r.taskWithTexts(id, row))
		}
	}
}

// rows is how many rows the API sent.
func (b *Builder) rows() int { return len(b.records) + b.duplicates }

// maxUnknown bounds the undocumented statuses of a listing: they are logged.
const maxUnknown = 8

func (b *Builder) addUnknown(status string) {
	if len(b.unknown) < maxUnknown && !slices.Contains(b.unknown, status) {
		b.unknown = append(b.unknown, strings.Clone(status))
	}
}

// Listing returns what the rows add up to. The total is the API's number of
// tasks, -1 if it gives none; truncated reports that reading stopped before
// the API's own end of the list. The error is [ErrNoRows].
//
// It makes all sums from the start, because a saturated addition cannot be undone.
func (b *Builder) Listing(total int64, truncated bool) (*Listing, error) {
	tasks := len(b.records)
	if tasks == 0 && total != 0 {
		return nil, ErrNoRows
	}
	l := &Listing{
		Sums:    Sums{Rows: b.rows(), Tasks: tasks, Total: total, Truncated: truncated},
		Unknown: slices.Sorted(slices.Values(b.unknown)),
	}
	l.Invalid[DuplicateID] = b.duplicates
	var last *record
	for i := range b.records {
		r := &b.records[i]
		l.add(r)
		if r.status == StatusFinish && r.finished != 0 && (last == nil || b.endedLater(r, last) > 0) {
			last = r
		}
	}
	if last != nil {
		task := last.task(string(b.id(last)))
		l.LastSuccess = &task
	}
	l.Series, l.Hidden = b.series()
	return l, nil
}

// endedLater compares two finished tasks by their ends. Ties are decided, so
// that equal lists in another order give equal listings.
func (b *Builder) endedLater(r, other *record) int {
	return cmp.Or(
		cmp.Compare(r.finished, other.finished),
		cmp.Compare(r.created, other.created),
		bytes.Compare(b.id(r), b.id(other)),
	)
}
