package download

import "slices"

// maxHalvings bounds the pages that are read to find deleted tasks.
const maxHalvings = 24

// edge is a known task that was read: its place, and the position where it lies.
// If two edges are closer together than expected, the difference is how many
// tasks between them were deleted.
type edge struct {
	place    int32
	position int
}

// findGone finds out which tasks are gone, if there are any: mostly those at the
// end at which no tasks appear. Others are found by halving, if the API's total
// is what it lists.
func (v *visit) findGone() error {
	for read := 0; ; read++ {
		edges, err := v.edges()
		if err != nil || v.excess() <= 0 {
			return err
		}
		if v.loseBetween(edges); v.excess() <= 0 {
			return nil
		}
		known := len(v.rows)
		switch {
		case read == 0 && edges[1].position > 0:
			err = v.readFarPage()
		case read > maxHalvings || v.surplus != 0 || v.phantoms != 0:
			return errReadAll
		default:
			err = v.readGap(edges)
		}
		switch {
		case err != nil:
			return err
		case len(v.rows) == known:
			return errReadAll
		}
	}
}

// readFarPage reads the page at which tasks leave a list that has become too
// long for its owner.
func (v *visit) readFarPage() error {
	p, err := v.read(v.pageOf(0), v.size)
	if err != nil || v.arrival == last {
		return err
	}
	return v.nothingBeyond(p)
}

// edges returns the known tasks that were read, in the order of the list, and
// its two ends. Tasks that are not in the order that they had, and new ones
// among them, mean that the order is not what it seemed.
func (v *visit) edges() ([]edge, error) {
	edges := []edge{{-1, -1}}
	for _, s := range v.byPosition() {
		if s.position >= v.front {
			break
		}
		_, left := slices.BinarySearch(v.left, s.place)
		if left || s.place <= edges[len(edges)-1].place { // also a new task
			return nil, errReadAll
		}
		edges = append(edges, edge{s.place, s.position})
	}
	return append(edges, edge{int32(len(v.known.records)), v.front}), nil
}

// loseBetween notes that the tasks are gone that lay between two tasks which are
// neighbors now.
func (v *visit) loseBetween(edges []edge) {
	for i, to := range edges[1:] {
		from := edges[i]
		if to.position-from.position > 1 {
			continue
		}
		for place := from.place + 1; place < to.place; place++ {
			if r := &v.known.records[place]; r.idLen > 0 && !v.isSeen(place) {
				v.lose(place)
			}
		}
	}
}

// readGap reads the page in the middle between two edges between which tasks are
// gone.
func (v *visit) readGap(edges []edge) error {
	for i, to := range edges[1:] {
		from := edges[i]
		if v.expected(to.place)-to.position > v.expected(from.place)-from.position && to.position-from.position > 1 {
			_, err := v.read(v.pageOf((from.position+to.position)/2), v.size)
			return err
		}
	}
	return errReadAll
}
