package download

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"aliyun_dbs_exporter/dbsapi"
)

// maxMissing bounds the settled tasks that are asked for by ID because they are
// not where they should be.
const maxMissing = 3

// maxTotal is how many rows a full listing reads at most. There are no pages beyond
// them to ask for.
const maxTotal = 1000 * dbsapi.PageSize

// errChanging ends a visit in which the total changes: what one page says of
// positions does not fit what another one says.
var errChanging = errors.New("the list changes while it is read")

// visit is an incremental poll until it is clear that all adds up. It changes
// nothing of what is known before commit.
//
// A position counts the rows of the list, and a place the known tasks, from the
// end at which no tasks appear. The two differ by what has come, gone or moved
// to the end at which tasks appear.
type visit struct {
	layout
	known     *Builder
	source    Source
	surplus   int64
	noLookups bool
	// fixedSize: pages of another size are not what was asked for.
	fixedSize bool
	turn      *int

	// total is that of the pages, -1 before the first.
	total int64
	// requests counts those that were sent; most is how many a full listing sends.
	requests, most int
	// rows are those that were read, by ID.
	rows []seenRow
	byID map[string]int
	// unsettled are those of rows that say what was known of unsettled tasks, and
	// that have texts.
	unsettled []int
	// front is the position of the foremost row that belongs to the end at which
	// tasks appear: what was read there takes the last places.
	front int
	// left are the places of known tasks that are gone, or at the front now;
	// sorted. gone are those that are gone.
	left, gone []int32
	// added counts the new tasks.
	added int
	// notFound is a task that was not found by its ID.
	notFound string
}

// seenRow is a row that was read.
type seenRow struct {
	id string
	record
	// task has the texts of a row that says something new, or whose texts may be
	// new to the series; nil for others.
	// The row itself would hold on to all of its answer.
	task *Task
	// raw is the status as the API sent it.
	raw string
	// place is that of a known task, else -1.
	place int32
	// position is -1 for a task that was read by its ID.
	position int
	// same: the row says what was known.
	same bool
}

func newVisit(t *Tracker, known *Builder, s Source) *visit {
	return &visit{
		layout: t.layout, known: known, source: s, surplus: t.surplus,
		noLookups: t.noLookups, fixedSize: t.fixedSize, turn: &t.turn,
		total: -1, most: (known.rows()-1)/t.layout.size + 1,
		rows: make([]seenRow, 0, t.layout.size), byID: make(map[string]int, t.layout.size), front: math.MaxInt,
	}
}

// run reads until all adds up. The error is errReadAll or errChanging if it does
// not, or that of a request.
func (v *visit) run() error {
	steps := []func() error{v.readArrivals, v.readMissing, v.readFarArrivals, v.readUnsettled, v.findGone}
	if v.arrival == anywhere {
		steps = []func() error{v.readTurn, v.readUnsettled}
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	switch excess := v.excess(); {
	case excess < 0 && v.arrival != anywhere:
		return errChanging // a new task was not listed with the others yet
	case excess != 0:
		return errReadAll
	}
	return nil
}

// excess is how many tasks are known that the API's total does not count.
func (v *visit) excess() int64 {
	return int64(v.known.named+v.added-len(v.gone)) + v.surplus - v.total
}

// listed is how many rows the list has.
func (v *visit) listed() int { return int(v.total - v.phantoms) }

// page is a page that was read, in the order of the list.
type page struct {
	num, size int
	// from is the index of its first row, counted from the start of the list.
	from  int
	found []int // places of its rows in visit.rows
	full  bool
	rows  int
}

// read asks for a page and takes its rows. Rows without an ID, and those that
// repeat one of the same page, say nothing.
func (v *visit) read(num, size int) (page, error) {
	p := page{num: num, size: size, from: (num - v.base) * size}
	answer, err := v.ask(num, size)
	if err != nil {
		return p, err
	}
	total := answer.TotalElements
	if len(answer.Items) == 0 && total == 0 && num > v.base {
		total = v.total // there is nothing to count beyond the end
	}
	switch {
	case total < 0 || total > maxTotal:
		return p, errReadAll
	case v.total >= 0 && total != v.total:
		return p, errChanging
	}
	v.total = total
	p.rows, p.full = len(answer.Items), len(answer.Items) >= size
	if p.from >= v.listed() {
		return p, nil // the server may send any rows there
	}
	for i := range answer.Items {
		position := p.from + i
		if v.arrival == first {
			position = v.listed() - 1 - position
		}
		if n := v.take(&answer.Items[i], position); n >= 0 && !slices.Contains(p.found, n) {
			p.found = append(p.found, n)
		}
	}
	return p, nil
}

// take notes a row and returns its place in rows, -1 if it has no ID.
func (v *visit) take(row *dbsapi.DownloadTask, position int) int {
	id, r := judge(row)
	if id == "" {
		return -1
	}
	s := seenRow{id: id, record: r, place: v.known.find(id), position: position}
	s.same = s.place >= 0 && v.known.records[s.place].same(&r)
	unsettled := s.same && !v.known.records[s.place].is(settled) && v.known.wants(&r)
	if !s.same || unsettled {
		task := r.taskWithTexts(id, row)
		s.task, s.raw = &task, LabelValue(row.Status)
	}
	n, again := v.byID[id]
	if !again {
		n = len(v.rows)
		v.rows, v.byID[id] = append(v.rows, s), n
	}
	v.rows[n] = s
	if unsettled {
		v.unsettled = append(v.unsettled, n)
		v.cutTexts()
	}
	return n
}

// cutTexts drops the texts of rows that are not urgent enough for series, as
// [Builder.cutCandidates] does, so that a plan of which most tasks are unsettled
// takes little memory.
func (v *visit) cutTexts() {
	limit := v.known.limits.MaxPerPlan
	if len(v.unsettled) < 2*limit {
		return
	}
	v.unsettled = slices.DeleteFunc(v.unsettled, func(n int) bool { return !v.rows[n].same || v.rows[n].task == nil })
	slices.SortFunc(v.unsettled, func(x, y int) int { return byUrgency(v.rows[x].task, v.rows[y].task) })
	kept := min(len(v.unsettled), limit+limit/4)
	for _, n := range v.unsettled[kept:] {
		v.rows[n].task = nil
	}
	v.unsettled = v.unsettled[:kept]
}

// rests reports whether a row is of a settled task that has not changed.
func (v *visit) rests(n int) bool {
	s := &v.rows[n]
	return s.same && v.known.records[s.place].is(settled)
}

// isSeen reports whether a known task was read in this poll.
func (v *visit) isSeen(place int32) bool {
	_, seen := v.byID[string(v.known.id(&v.known.records[place]))]
	return seen
}

// leave notes that a known task is not where it was, and reports whether that is
// new.
func (v *visit) leave(place int32) bool {
	i, known := slices.BinarySearch(v.left, place)
	if !known {
		v.left = slices.Insert(v.left, i, place)
	}
	return !known
}

// lose notes that a known task is gone.
func (v *visit) lose(place int32) {
	if v.leave(place) {
		v.gone = append(v.gone, place)
	}
}

// expected returns the position of a known task if no others are gone than those
// that are known to be.
func (v *visit) expected(place int32) int {
	before, _ := slices.BinarySearch(v.left, place)
	return int(place) - before
}

// byPosition returns the rows that were read on pages, from the first position.
func (v *visit) byPosition() []*seenRow {
	rows := make([]*seenRow, 0, len(v.rows))
	for i := range v.rows {
		if v.rows[i].position >= 0 {
			rows = append(rows, &v.rows[i])
		}
	}
	slices.SortFunc(rows, func(x, y *seenRow) int { return cmp.Compare(x.position, y.position) })
	return rows
}
