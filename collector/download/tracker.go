package download

import (
	"errors"
	"iter"
	"time"

	"aliyun_dbs_exporter/dbsapi"
)

// Source reads a plan's list of download tasks, as [dbsapi.TaskList] does.
type Source interface {
	// Pages reads the whole list.
	Pages() iter.Seq2[dbsapi.Page[dbsapi.DownloadTask], error]
	// Page reads the page of a number in a list of pages of size rows.
	Page(num, size int) (dbsapi.Page[dbsapi.DownloadTask], error)
	// Task reads a task by its ID, and reports whether there is one.
	Task(id string) (dbsapi.DownloadTask, bool, error)
}

// Conditions are those of one poll.
type Conditions struct {
	Now    time.Time
	Limits Limits
	// Full asks for a full listing.
	Full bool
}

// Outcome is what a poll has found.
type Outcome struct {
	Listing *Listing
	Ends    NewEnds
	// Full reports whether the whole list was read.
	Full bool
	// Idle reports whether all tasks are settled: none of them is expected to
	// change.
	Idle bool
	// Obstacle is why the next polls save nothing, or less than they could.
	Obstacle Obstacle
}

// Obstacle is why polls of a plan read more than what may have changed.
type Obstacle string

// The obstacles. Polls read the whole list because of any of them but NoOrder.
const (
	NoObstacle Obstacle = ""
	// OnePage: the list fits one page, which a request reads.
	OnePage Obstacle = "one_page"
	// NoOrder: new tasks may appear anywhere in the list, so that each one takes
	// a full listing.
	NoOrder Obstacle = "no_order"
	// NoTotal: the API gives no number of tasks, or one that is below what it
	// lists, so that nothing tells when a task is deleted.
	NoTotal Obstacle = "no_total"
	// UnevenPages: pages before the last one have different numbers of rows.
	UnevenPages Obstacle = "uneven_pages"
	// Unsettled: every page has unsettled tasks, or must be read to reach a settled
	// one, so that a full listing costs no more.
	Unsettled Obstacle = "unsettled"
	// Unsure: the list changed while it was read, or its total differs from what
	// it lists and was not seen to do so twice.
	Unsure Obstacle = "unsure"
)

// ListsFully reports whether every poll must read the whole list.
func (o Obstacle) ListsFully() bool { return o != NoObstacle && o != NoOrder }

// Tracker knows the download tasks of a plan from poll to poll and decides what
// each poll must read: all of the list, or only what may have changed since the
// last poll. Both give the same Listing. The zero value is ready for the first
// poll. It is not safe for concurrent use.
//
// A poll between full listings reads the end of the list at which new tasks
// appear, and the unsettled tasks. The number of tasks that the API gives must
// then be that of the known tasks. If it is lower, tasks were deleted, and pages
// are read to find out which. Whenever something does not add up, the poll reads
// the whole list.
type Tracker struct {
	// known are the tasks of the list: from the end at which none appear to the
	// one at which they do, if the list has such ends.
	known *Builder
	ends  Ends
	// uncounted are ends of a poll that failed after it had noted them.
	uncounted NewEnds
	layout    layout
	obstacle  Obstacle
	// surplus is the API's total minus the distinct IDs of the last full listing.
	surplus int64
	// limits are those of the last full listing. Once they have been raised, tasks
	// over them get series with the next one: else all plans would list at once.
	limits Limits
	// truncated: the last full listing lacks rows.
	truncated bool
	// noLookups: tasks cannot be looked up by their IDs, or one was listed that was
	// not found so. doubted is one that was not found in this poll.
	noLookups bool
	doubted   string
	// fixedSize: the server does not send the page size that was asked for.
	fixedSize bool
	// turn is the page that the next poll of a list without order reads.
	turn int
}

// layout is how the pages of a list are laid out.
type layout struct {
	arrival arrival
	// base is the number of the first page, size the rows on a page.
	base, size int
	// phantoms is the API's total minus the rows that it sends.
	phantoms int64
	// bothEnds: tasks seem to appear at the far end too, see [Builder.appearFar].
	bothEnds bool
}

// errReadAll ends an incremental poll that does not add up.
var errReadAll = errors.New("the whole list must be read")

// Poll reads what must be read. A poll that fails may have taken over changes
// that it has read; the next one that succeeds returns their ends.
func (t *Tracker) Poll(c Conditions, s Source) (Outcome, error) {
	t.doubted = "" // of a poll that failed
	if t.known != nil && !c.Full && !t.obstacle.ListsFully() {
		out, err := t.readChanges(c, s)
		if !errors.Is(err, errReadAll) {
			return out, err
		}
	}
	return t.readAll(c, s)
}

// readChanges is a poll that reads what may have changed.
func (t *Tracker) readChanges(c Conditions, s Source) (Outcome, error) {
	v, err := t.visit(t.known, s)
	if err != nil {
		return Outcome{}, err
	}
	t.layout.bothEnds = t.layout.bothEnds || v.appearedLate()
	t.known.begin(c.Limits, c.Now)
	t.uncounted.join(v.commit(&t.ends))
	t.ends.end(t.known)
	l, err := t.known.Listing(v.total, t.truncated)
	if err != nil || !t.limits.below(c.Limits) && t.known.lacksTexts(l) {
		return Outcome{}, errReadAll
	}
	if t.known.takesAllPages(t.layout) {
		t.obstacle = Unsettled
	}
	return t.outcome(l, false), nil
}

// maxVisits bounds how often a poll reads what may have changed, because the
// list changes while it does.
const maxVisits = 2

// visit reads what may have changed of what is known.
func (t *Tracker) visit(known *Builder, s Source) (*visit, error) {
	for range maxVisits {
		v := newVisit(t, known, s)
		err := v.run()
		if errors.Is(err, errReadAll) {
			t.doubted, t.fixedSize, t.noLookups = v.notFound, v.fixedSize, v.noLookups
		}
		if !errors.Is(err, errChanging) {
			return v, err
		}
	}
	return nil, errReadAll
}

func (t *Tracker) outcome(l *Listing, full bool) Outcome {
	out := Outcome{Listing: l, Ends: t.uncounted, Full: full, Idle: t.known.allSettled(), Obstacle: t.obstacle}
	t.uncounted = NewEnds{}
	return out
}
