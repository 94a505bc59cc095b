package download

import "slices"

// commit changes what is known by what was read, and returns the ends that are
// new. In a listing that was just made they are noted later, with all others:
// ends is nil.
func (v *visit) commit(ends *Ends) (counted NewEnds) {
	now := v.known.now.Unix()
	var front []*seenRow
	for _, s := range v.byPosition() {
		if s.position >= v.front {
			front = append(front, s)
		}
	}
	for i := range v.rows {
		s := &v.rows[i]
		var old *record
		if s.place >= 0 {
			old = &v.known.records[s.place]
		}
		s.seen(old, now)
		if ends != nil && ends.note([]byte(s.id), old, &s.record, false) {
			counted.add(&s.record)
		}
		if s.task != nil {
			v.takeTexts(s)
		}
		if old != nil {
			v.known.set(s.place, s.record)
		}
	}
	for _, place := range v.gone {
		if r := &v.known.records[place]; ends != nil {
			ends.keep(string(v.known.id(r)), r)
		}
	}
	v.reorder(front)
	return counted
}

// takeTexts replaces what was known of a task's texts.
func (v *visit) takeTexts(s *seenRow) {
	v.known.withdraw(s.id)
	if s.status == StatusUnknown {
		v.known.addUnknown(s.raw)
	}
	if v.known.wants(&s.record) {
		v.known.offer(*s.task)
	}
}

// reorder takes out the tasks that are gone, and puts those at the front last.
func (v *visit) reorder(front []*seenRow) {
	if len(v.gone) == 0 && v.inPlace(front) {
		return
	}
	v.known.remove(v.left)
	v.known.grow(len(front), 0)
	for _, s := range front {
		v.known.add(s.id, s.record)
	}
}

// inPlace reports whether the tasks at the front have the last places already.
func (v *visit) inPlace(front []*seenRow) bool {
	first := len(v.known.records) - len(front)
	return !slices.ContainsFunc(front, func(s *seenRow) bool {
		place := first
		first++
		return int(s.place) != place
	})
}
