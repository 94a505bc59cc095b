package download

import (
	"cmp"
	"slices"
	"strings"
)

// maxSeries bounds the series of a plan: more tasks than any list has.
const maxSeries = 1 << 20

// candidate is a task that may get series of its own.
type candidate struct {
	Task
	// owned: the texts hold on to no answer of the API.
	owned bool
}

// eligible reports whether a task may get series: it has an ID, and it has not
// ended too long ago.
func (b *Builder) eligible(r *record) bool {
	tooOld := r.status.Terminal() && r.sortTime() < b.endedSince
	return !r.has(MissingID) && !tooOld
}

// wants reports whether a task may get series under the limits of this poll.
func (b *Builder) wants(r *record) bool { return b.limits.MaxPerPlan > 0 && b.eligible(r) }

// offer takes the texts of a task that may get series.
func (b *Builder) offer(t Task) {
	if len(b.candidates) >= 2*b.limits.MaxPerPlan {
		b.cutCandidates()
	}
	b.candidates = append(b.candidates, candidate{Task: t})
}

// withdraw drops the texts of a task, because it has a later row.
func (b *Builder) withdraw(id string) {
	b.candidates = slices.DeleteFunc(b.candidates, func(c candidate) bool { return c.ID == id })
}

// cutCandidates sorts the tasks with texts and keeps the most urgent: some over
// the limit, for when others are deleted. It runs when there are twice as many as
// the limit allows, so that a row costs little however many there are.
func (b *Builder) cutCandidates() {
	slices.SortFunc(b.candidates, func(x, y candidate) int { return byUrgency(&x.Task, &y.Task) })
	kept := min(len(b.candidates), b.limits.MaxPerPlan+b.limits.MaxPerPlan/4)
	clear(b.candidates[kept:])
	b.candidates = b.candidates[:kept]
}

// series returns the tasks that get series, and how many do not.
func (b *Builder) series() ([]Task, Hidden) {
	b.candidates = slices.DeleteFunc(b.candidates, func(c candidate) bool {
		r := b.get(c.ID)
		return r == nil || !b.eligible(r)
	})
	b.cutCandidates()
	kept := make([]Task, len(b.candidates))
	words := make(map[string]string)
	for i := range b.candidates {
		c := &b.candidates[i]
		if !c.owned {
			c.cloneTexts(words)
		}
		kept[i] = c.Task
	}
	// They have room for many more, so they do not stay from poll to poll.
	b.kept, b.candidates = kept, nil
	series := slices.Clip(kept[:min(len(kept), b.limits.MaxPerPlan)])
	hidden := Hidden{Limit: -len(series)}
	for i := range b.records {
		switch r := &b.records[i]; {
		case b.eligible(r):
			hidden.Limit++
		case r.idLen > 0:
			hidden.Age++
		}
	}
	return series, hidden
}

// lacksTexts reports whether a task that was cut, and whose texts are not known,
// belongs to the series: tasks before it are gone or have become less urgent.
func (b *Builder) lacksTexts(l *Listing) bool {
	if l.Hidden.Limit == 0 || b.limits.MaxPerPlan == 0 {
		return false
	}
	if len(l.Series) < b.limits.MaxPerPlan {
		return true
	}
	last, urgent := &l.Series[len(l.Series)-1], 0
	for i := range b.records {
		if r := &b.records[i]; b.eligible(r) && b.compareUrgency(r, last) <= 0 {
			urgent++
		}
	}
	return urgent > len(l.Series)
}

// compareUrgency is byUrgency for a task that is only a record.
func (b *Builder) compareUrgency(r *record, t *Task) int {
	if c := cmp.Compare(r.status.rank(), t.Status.rank()); c != 0 {
		return c
	}
	if c := cmp.Compare(milliseconds(t.sortTime()), r.sortTime()); c != 0 {
		return c
	}
	return strings.Compare(string(b.id(r)), t.ID)
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
