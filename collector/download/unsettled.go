package download

import "slices"

// readMissing asks for the settled tasks that should be at the end that was read
// and are not. They are gone, unless the order is not what it seemed.
func (v *visit) readMissing() error {
	from := int32(len(v.known.records))
	for n := range v.rows {
		if v.rests(n) {
			from = min(from, v.rows[n].place)
		}
	}
	var missing []int32
	for place := from; place < int32(len(v.known.records)); place++ {
		r := &v.known.records[place]
		if r.idLen == 0 || !r.is(settled) || v.isSeen(place) {
			continue
		}
		if missing = append(missing, place); len(missing) > maxMissing || v.noLookups {
			return errReadAll
		}
	}
	for _, place := range missing {
		found, err := v.lookUp(place)
		switch {
		case err != nil:
			return err
		case found:
			return errReadAll
		}
		v.lose(place)
	}
	return nil
}

// takesAllPages reports whether an incremental poll would read every page: each
// one has unsettled tasks, or follows only pages that end with one, from the end at
// which tasks appear. A full listing costs no more then, and decides more.
func (b *Builder) takesAllPages(lay layout) bool {
	if b.allSettled() {
		return false
	}
	readsOn := lay.arrival != anywhere
	for end := len(b.records); end > 0; {
		start := (end - 1) / lay.size * lay.size
		if lay.arrival == first {
			start = max(0, end-lay.size)
		}
		page := b.records[start:end]
		if !readsOn && !slices.ContainsFunc(page, isUnsettled) {
			return false
		}
		readsOn = readsOn && isUnsettled(page[0])
		end = start
	}
	return true
}

// readUnsettled reads the unsettled tasks that were not seen yet: by a page that
// has several, else by ID.
func (v *visit) readUnsettled() error {
	var places []int32
	for place := range v.known.records {
		if !v.known.records[place].is(settled) && !v.isSeen(int32(place)) {
			places = append(places, int32(place))
		}
	}
	for _, group := range v.byPage(places) {
		if len(group) > 1 || v.noLookups {
			if err := v.readPageOf(group[0]); err != nil {
				return err
			}
		}
		for _, place := range group {
			if err := v.readOne(place); err != nil {
				return err
			}
		}
	}
	return nil
}

// byPage groups places, which are sorted, by the page on which they are expected.
func (v *visit) byPage(places []int32) (groups [][]int32) {
	on := -1
	for _, place := range places {
		num := v.pageOf(v.expected(place))
		if num != on {
			groups, on = append(groups, nil), num
		}
		last := &groups[len(groups)-1]
		*last = append(*last, place)
	}
	return groups
}

// pageOf returns the number of the page that has a position.
func (v *visit) pageOf(position int) int {
	if v.arrival == first {
		position = v.listed() - 1 - position
	}
	return v.base + min(max(0, position), max(0, v.listed()-1))/v.size
}

// readPageOf reads the page on which a known task is expected. In a list without
// an order it must have the rows that it had.
func (v *visit) readPageOf(place int32) error {
	p, err := v.read(v.pageOf(v.expected(place)), v.size)
	if err == nil && v.arrival == anywhere {
		return v.unchanged(p)
	}
	return err
}

// readOne reads an unsettled task by its ID, unless it was seen. If it is not
// found, the full listing decides what that means.
func (v *visit) readOne(place int32) error {
	switch {
	case v.isSeen(place):
		return nil
	case v.noLookups:
		return errReadAll
	}
	found, err := v.lookUp(place)
	if err == nil && !found {
		v.notFound = string(v.known.id(&v.known.records[place]))
		return errReadAll
	}
	return err
}

// readTurn is how a list without an order is read: a page in turn, which tells
// the total. New tasks may be anywhere, so it must have the rows that it had.
func (v *visit) readTurn() error {
	pages := (len(v.known.records)-1)/v.size + 1
	num := v.base + *v.turn%pages
	*v.turn++
	p, err := v.read(num, v.size)
	if err != nil {
		return err
	}
	if v.excess() != 0 {
		return errReadAll
	}
	if err := v.unchanged(p); err != nil {
		return err
	}
	lastRows := len(v.known.records) - (pages-1)*v.size
	return v.nothingBeyond(page{num: v.base + pages - 1, size: v.size, full: lastRows == v.size})
}

// unchanged makes sure that a page of a list without an order has the rows that
// it had.
func (v *visit) unchanged(p page) error {
	if p.rows != min(v.size, len(v.known.records)-p.from) || len(p.found) != p.rows {
		return errReadAll
	}
	for _, n := range p.found {
		if int(v.rows[n].place) != v.rows[n].position {
			return errReadAll
		}
	}
	return nil
}
