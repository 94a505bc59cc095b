package download

import "slices"

// arrival is the end of a list at which new tasks appear.
type arrival uint8

const (
	// anywhere: the list has no order that tells.
	anywhere arrival = iota
	// first: the first page, last: the last page.
	first
	last
)

// newestTasks is how many tasks tell the order of a list: as many as matter on
// a page of 100.
const newestTasks = 20

// arrivalEnd finds the end of a list that has the tasks which were created last:
// at least 90 % of the last 20, and of those created with the 20th. Lists ordered
// by modification have most of them there too. A list with tasks of no creation
// time has no order: where such tasks appear is not known.
func arrivalEnd(list []record, pageSize int) arrival {
	created := make([]int64, 0, len(list))
	for i := range list {
		if list[i].created == 0 {
			return anywhere
		}
		created = append(created, list[i].created)
	}
	n := max(1, min(newestTasks, pageSize/2))
	if len(created) < n {
		return anywhere
	}
	slices.Sort(created)
	since := created[len(created)-n]
	var newest, atFirst, atLast int
	for i := range list {
		if list[i].created < since {
			continue
		}
		newest++
		if i < pageSize {
			atFirst++
		}
		if i >= len(list)-pageSize {
			atLast++
		}
	}
	isFirst, isLast := 10*atFirst >= 9*newest, 10*atLast >= 9*newest
	switch {
	case 2*newest > len(list), isFirst == isLast:
		return anywhere
	case isFirst:
		return first
	}
	return last
}

// appearFar reports whether tasks seem to appear at the far end too, where they
// stay until they end, as in a list by finish time that has unfinished tasks last:
// the unsettled task that was created last is there. If there are no unsettled
// tasks to tell by, it is as it was before.
func (b *Builder) appearFar(lay layout, before bool) bool {
	if lay.arrival == anywhere {
		return false
	}
	newest := -1
	for place, r := range b.records {
		if isUnsettled(r) && (newest < 0 || r.created > b.records[newest].created) {
			newest = place
		}
	}
	arrivals := max(0, len(b.records)-lay.size)
	switch {
	case newest >= arrivals:
		return false
	case newest < 0 || newest >= lay.size:
		return before
	}
	return before || slices.ContainsFunc(b.records[arrivals:], func(r record) bool { return r.created < b.records[newest].created })
}
