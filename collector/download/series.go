package download

import (
	"cmp"
	"slices"
	"strings"

	"aliyun_dbs_exporter/dbsapi"
)

// candidate is a task that may get series of its own.
type candidate struct {
	Task
	// place is the task's place in the Builder's states, row the number of the
	// row that it was made from.
	place, row int32
}

// eligible reports whether a task may get series: it has an ID, and it has not
// ended too long ago.
func (b *Builder) eligible(s *state) bool { return s.id != "" && !b.tooOld(s) }

func (b *Builder) tooOld(s *state) bool { return s.status.Terminal() && s.sortTime() < b.endedSince }

func (b *Builder) addCandidate(row *dbsapi.DownloadTask, s *state, place int32) {
	limit := b.limits.MaxPerPlan
	if limit == 0 {
		return
	}
	if len(b.candidates)-limit >= limit {
		b.cutCandidates()
	}
	c := candidate{Task: s.task(), place: place, row: s.row}
	c.setTexts(row)
	b.candidates = append(b.candidates, c)
}

// cutCandidates drops what later rows have replaced, and sorts and keeps the
// most urgent of the others. It runs when there are twice as many as the limit
// allows, so that a row costs little however many there are.
//
// A task that was cut does not return if a more urgent one is listed again and
// has become less urgent: the next poll shows it.
func (b *Builder) cutCandidates() {
	kept := slices.DeleteFunc(b.candidates, func(c candidate) bool {
		return b.states[c.place].row != c.row
	})
	slices.SortFunc(kept, func(x, y candidate) int { return byUrgency(&x.Task, &y.Task) })
	clear(kept[min(len(kept), b.limits.MaxPerPlan):])
	b.candidates = kept[:min(len(kept), b.limits.MaxPerPlan)]
}

// series returns the tasks that get series, and how many do not.
func (b *Builder) series() ([]Task, Hidden) {
	b.cutCandidates()
	series := make([]Task, len(b.candidates))
	words := make(map[string]string)
	for i := range b.candidates {
		series[i] = b.candidates[i].Task
		series[i].cloneTexts(words)
	}
	hidden := Hidden{Limit: -len(series)}
	for i := range b.states {
		switch s := &b.states[i]; {
		case b.eligible(s):
			hidden.Limit++
		case s.id != "":
			hidden.Age++
		}
	}
	return series, hidden
}

// byUrgency compares tasks by how long they keep their series under a limit:
// by rank, then the last to end or to be created first.
func byUrgency(x, y *Task) int {
	if c := cmp.Compare(x.Status.rank(), y.Status.rank()); c != 0 {
		return c
	}
	if c := y.sortTime().Compare(x.sortTime()); c != 0 {
		return c
	}
	return strings.Compare(x.ID, y.ID)
}

// Share returns how many tasks of each listing's Series to show, from the
// first, so that no listing has more than maxPerPlan and all together have the
// maxTotal most urgent. A listing may be nil.
func Share(listings []*Listing, maxPerPlan, maxTotal int) []int {
	shares := make([]int, len(listings))
	total := 0
	for i, l := range listings {
		if l != nil {
			shares[i] = min(len(l.Series), max(0, maxPerPlan))
			total += shares[i]
		}
	}
	if total <= maxTotal {
		return shares
	}
	clear(shares)
	if maxTotal <= 0 {
		return shares
	}
	for _, c := range mostUrgentOf(listings, maxPerPlan, maxTotal) {
		shares[c.listing]++
	}
	return shares
}

// entry is a task of a listing that may be shown.
type entry struct {
	*Task
	listing int
}

// mostUrgentOf returns the n most urgent tasks of all listings. It sorts and cuts
// whenever it has twice as many. A listing has its most urgent tasks first, so the
// rest of it is passed over once a task does not make it.
func mostUrgentOf(listings []*Listing, maxPerPlan, n int) []entry {
	kept := make([]entry, 0, 2*n)
	full := false
	for i, l := range listings {
		if l == nil {
			continue
		}
		for t := range min(len(l.Series), maxPerPlan) {
			c := entry{&l.Series[t], i}
			if full && compareEntries(c, kept[n-1]) > 0 {
				break
			}
			if kept = append(kept, c); len(kept) == 2*n {
				kept, full = cutEntries(kept, n), true
			}
		}
	}
	return cutEntries(kept, n)
}

func cutEntries(kept []entry, n int) []entry {
	slices.SortFunc(kept, compareEntries)
	return kept[:min(n, len(kept))]
}

func compareEntries(a, b entry) int {
	return cmp.Or(byUrgency(a.Task, b.Task), cmp.Compare(a.listing, b.listing))
}
