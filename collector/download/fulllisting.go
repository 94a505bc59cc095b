package download

import (
	"errors"
	"time"

	"aliyun_dbs_exporter/dbsapi"
)

// reading is the whole list, as it was read in one go.
type reading struct {
	*Builder
	answered time.Time
	base     int
	// pages counts those with rows. size is how many rows the first one has,
	// lastRows the last one. uneven: one between has another number.
	pages, size, lastRows int
	uneven                bool
	// rows counts those that were sent, total is what the API said last, -1 if
	// it said nothing. fell: it was lower than before.
	rows, total int64
	fell        bool
	// truncated: rows are missing. changing: totals differed each time.
	truncated, changing bool
}

// read reads the whole list.
func read(c Conditions, s Source) (*reading, error) {
	r := &reading{Builder: NewBuilder(c.Limits, c.Now), total: -1}
	for page, err := range s.Pages() {
		switch {
		case errors.Is(err, dbsapi.ErrIncomplete):
			r.truncated, r.changing = true, errors.Is(err, dbsapi.ErrChanging)
			continue // it is the end
		case err != nil:
			return nil, err
		case page.Number == 0: // also if the list changed while it was read
			r = &reading{Builder: NewBuilder(c.Limits, c.Now), total: -1, answered: page.ServerTime}
		}
		r.addPage(&page)
	}
	return r, nil
}

func (r *reading) addPage(page *dbsapi.Page[dbsapi.DownloadTask]) {
	n := len(page.Items)
	if n == 0 {
		r.total = page.TotalElements
		return
	}
	if r.pages == 0 {
		r.size = n
	}
	r.uneven = r.uneven || r.pages > 0 && r.lastRows != r.size || n > r.size
	r.fell = r.fell || r.pages > 0 && page.TotalElements < r.total
	r.pages++
	r.lastRows = n
	r.rows += int64(n)
	r.base = page.Requested - page.Number
	r.total = page.TotalElements
	r.Add(page.Items)
}

// settle decides which tasks are settled. known are those of the last listing,
// nil before the first.
func (r *reading) settle(known *Builder) {
	now := r.now.Unix()
	for i := range r.records {
		switch task := &r.records[i]; {
		case task.idLen == 0:
			task.set(settled, true) // it cannot be asked for
		case known == nil:
			task.seenFirst(now)
		default:
			task.seen(known.get(string(r.id(task))), now)
		}
	}
}

// arrange puts the tasks in the order of a Tracker and returns the layout. A
// list of one page is always read whole, and needs none.
func (r *reading) arrange() layout {
	if r.pages <= 1 {
		return layout{}
	}
	lay := layout{arrival: arrivalEnd(r.records, r.size), base: r.base, size: r.size, phantoms: r.total - r.rows}
	r.table = r.fit(lay.arrival == first)
	return lay
}

// readAll is a poll that reads the whole list.
func (t *Tracker) readAll(c Conditions, s Source) (Outcome, error) {
	r, err := read(c, s)
	if err != nil {
		return Outcome{}, err
	}
	r.settle(t.known)
	lay := r.arrange()
	lay.bothEnds = r.appearFar(lay, t.layout.bothEnds)
	surplus := r.total - int64(r.named)
	if r.changing && !r.fell && !r.uneven && lay.arrival != anywhere && !r.takesAllPages(lay) {
		lay.phantoms = t.layout.phantoms
		caughtUp, err := r.catchUp(t, lay, s)
		switch {
		case err != nil:
			return Outcome{}, err
		case caughtUp:
			surplus = t.surplus
			lay.phantoms = r.total - int64(len(r.records)+r.duplicates)
		}
	}
	l, err := r.Listing(r.total, r.truncated)
	if err != nil {
		return Outcome{}, err
	}
	t.uncounted.join(t.ends.Update(r.Builder, r.answered))
	t.noLookups = t.noLookups || t.doubted != "" && r.find(t.doubted) >= 0
	t.doubted = ""
	t.obstacle = t.judge(r, lay, surplus)
	if r.lacksTexts(l) && t.obstacle == NoObstacle {
		t.obstacle = Unsure
	}
	t.known, t.layout, t.limits, t.surplus, t.truncated = r.Builder, lay, c.Limits, surplus, r.truncated
	return t.outcome(l, true), nil
}

// catchUp reads what has changed while the list was read, and reports whether
// it adds up then.
func (r *reading) catchUp(t *Tracker, lay layout, s Source) (bool, error) {
	now := Tracker{layout: lay, surplus: t.surplus, noLookups: t.noLookups, fixedSize: t.fixedSize}
	v, err := now.visit(r.Builder, s)
	switch {
	case errors.Is(err, errReadAll):
		return false, nil
	case err != nil:
		return false, err
	}
	v.commit(nil)
	r.total, r.changing = v.total, false
	// A row that moved to a page that was read later is no fault.
	r.duplicates = int(max(0, min(int64(r.duplicates), r.total-int64(len(r.records)))))
	r.truncated = r.total > int64(len(r.records)+r.duplicates)
	return true, nil
}

// judge returns why the next polls do not build on a full listing, or save little.
func (t *Tracker) judge(r *reading, lay layout, surplus int64) Obstacle {
	switch {
	case r.pages <= 1:
		return OnePage
	case r.total < 0:
		return NoTotal
	case r.uneven:
		return UnevenPages
	case r.changing, surplus != 0 && surplus != t.surplus:
		return Unsure
	case r.takesAllPages(lay):
		return Unsettled
	case lay.arrival == anywhere:
		return NoOrder
	}
	return NoObstacle
}
