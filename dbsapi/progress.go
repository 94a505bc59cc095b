package dbsapi

// progress compares what was read of a list with what its answers say.
type progress struct {
	pages, rows int64
	// firstRows is how many rows the first page had.
	firstRows int64
	// firstTotal is the first known TotalElements that is not too low. Later
	// answers are compared with it.
	firstTotal int64
	// total and totalPages are the last known ones: an answer without totals
	// takes back nothing that an earlier one said.
	total, totalPages int64
	// changed: a later answer said another total.
	changed bool
	// ended: there is no further page.
	ended bool
}

func newProgress() progress {
	return progress{firstTotal: unknown, total: unknown, totalPages: unknown}
}

// add counts a page and decides whether it is the last. A full page never is:
// the next one costs a request, believing a total that is too low hides tasks.
// A page that is not full is the last one unless a total says that there is
// more, or is so low that it cannot tell: the server may send less than was
// asked for, whatever size it claims.
func (p *progress) add(a answer, rows int) {
	p.pages++
	p.rows += int64(rows)
	if p.pages == 1 {
		p.firstRows = int64(rows)
	}
	p.note(a, rows)
	enough := (p.rows == p.total || p.total == unknown) && p.pages >= p.totalPages
	p.ended = rows == 0 || !p.full(rows, a.pageSize) && enough
}

// note takes the totals that an answer has.
func (p *progress) note(a answer, rows int) {
	if a.totalPages != unknown {
		p.totalPages = a.totalPages
	}
	beyondEnd := rows == 0 && p.pages > 1 && a.totalElements == 0 // there is nothing to count
	if a.totalElements == unknown || beyondEnd {
		return
	}
	p.total = a.totalElements
	if p.firstTotal == unknown {
		p.firstTotal = p.knownTotal()
	}
	p.changed = p.changed || p.firstTotal != unknown && p.total != p.firstTotal
}

// knownTotal is the last known total; one below the rows that were read counts
// as unknown.
func (p *progress) knownTotal() int64 {
	if p.total < p.rows {
		return unknown
	}
	return p.total
}

// full reports whether a page has all the rows that the server puts on one.
func (p *progress) full(rows int, claimed int64) bool {
	return rows >= PageSize || claimed > 0 && int64(rows) >= claimed || p.pages > 1 && int64(rows) >= p.firstRows
}

// lacking reports whether fewer rows or pages were read than the list has.
func (p *progress) lacking() bool {
	total := p.knownTotal()
	return p.rows < total || total == unknown && p.pages < p.totalPages
}

// repeated judges a list whose server answers a further page with rows that it
// has sent before. Only a total can say that there are no others.
func (p *progress) repeated() error {
	if p.knownTotal() == unknown {
		return ErrIncomplete
	}
	return p.err()
}

func (p *progress) err() error {
	switch {
	case p.changed:
		return ErrChanging
	case p.lacking():
		return ErrIncomplete
	}
	return nil
}
