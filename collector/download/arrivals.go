package download

import (
	"slices"

	"aliyun_dbs_exporter/dbsapi"
)

// readArrivals reads the end of the list at which tasks appear, and on up to a
// settled task that has not changed. A list ordered by modification puts others
// before new tasks even if no row shows what was modified.
func (v *visit) readArrivals() error {
	read := v.readFirst
	if v.arrival == last {
		read = v.readLast
	}
	if err := read(); err != nil {
		return err
	}
	for _, s := range v.byPosition() {
		if s.place < 0 {
			v.added++
		} else {
			v.leave(s.place)
		}
	}
	return nil
}

// readFirst reads pages from the first one on.
func (v *visit) readFirst() error {
	for num := v.base; ; num++ {
		p, err := v.read(num, v.size)
		switch {
		case err != nil:
			return err
		case p.rows != v.size || p.from+v.size >= v.listed():
			return errReadAll // the list ends here
		}
		v.front = v.listed() - p.from - p.rows
		if n := len(p.found); n > 0 && v.rests(p.found[n-1]) {
			return nil
		}
	}
}

// readLast reads the last page, and pages before it.
func (v *visit) readLast() error {
	p, err := v.readLastPage()
	if err != nil {
		return err
	}
	for len(p.found) == 0 || !v.rests(p.found[0]) {
		// The page that has the row before, in pages of the usual size.
		num := v.base + (p.from-1)/v.size
		if p.from == 0 || num <= v.base {
			return errReadAll
		}
		from := p.from
		if p, err = v.read(num, v.size); err != nil {
			return err
		}
		if p.from+p.rows < from {
			return errReadAll
		}
		v.front = p.from
	}
	return nil
}

// readLastPage reads the page that ends the list. The last row is expected where
// the known tasks end; the total of the answer says where it is.
func (v *visit) readLastPage() (page, error) {
	rows := v.known.rows()
	for range 2 {
		size := v.lastSize(rows)
		p, err := v.read(v.base+(rows-1)/size, size)
		if err != nil {
			return p, err
		}
		if rows = v.listed(); rows <= 0 {
			return p, errReadAll
		}
		if p.from >= rows || p.from+p.rows < rows && p.full {
			continue // tasks are gone, or more have come than fit the page
		}
		if p.from+p.rows != rows {
			v.fixedSize = v.fixedSize || size != v.size
			return p, errReadAll
		}
		v.front = p.from
		return p, v.nothingBeyond(p)
	}
	return page{}, errReadAll
}

// lastSize chooses the page size with which the last of so many rows shares its
// page with as many others as possible, so that one request reads them. A server
// that sends pages of its own size gets no choice.
func (v *visit) lastSize(rows int) int {
	if v.size != dbsapi.PageSize || v.fixedSize {
		return v.size
	}
	best := v.size
	for _, size := range dbsapi.PageSizes {
		if (rows-1)%size > (rows-1)%best {
			best = size
		}
	}
	return best
}

// nothingBeyond asks for the page behind the last one, if that is full: the
// total may be bounded.
func (v *visit) nothingBeyond(p page) error {
	if !p.full {
		return nil
	}
	beyond, err := v.ask(p.num+1, p.size)
	if err != nil {
		return err
	}
	for i := range beyond.Items {
		id := LabelValue(beyond.Items[i].ID)
		_, seen := v.byID[id]
		// New tasks push known ones beyond a bounded total, if they come first.
		if id != "" && !seen && (v.arrival == first || v.known.find(id) < 0) {
			return errReadAll
		}
	}
	return nil
}

// readFarArrivals reads the far end of a list where tasks seem to appear there too.
// The total does not tell of a new task if another one was deleted.
func (v *visit) readFarArrivals() error {
	if !v.bothEnds || v.front == 0 {
		return nil
	}
	if err := v.readFarPage(); err != nil {
		return err
	}
	for i := range v.rows {
		if s := &v.rows[i]; s.place < 0 && s.position < v.front {
			return errReadAll
		}
	}
	return nil
}

// appearedLate reports whether a new task has ended that was created before the
// last poll, which must have been elsewhere in the list until it ended.
func (v *visit) appearedLate() bool {
	lastPoll := v.known.now.UnixMilli()
	return slices.ContainsFunc(v.rows, func(s seenRow) bool {
		return s.place < 0 && s.status.Terminal() && s.created != 0 && s.created < lastPoll
	})
}
