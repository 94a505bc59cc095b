package dbssim

import (
	"cmp"
	"hash/fnv"
)

// Order is the order in which a plan's tasks are listed. DBS documents none, so
// a client must cope with each.
type Order int

// The orders of lists.
const (
	// NewestFirst lists the task first that was created last.
	NewestFirst Order = iota
	// OldestFirst lists the task first that was created first.
	OldestFirst
	// ModifiedFirst lists the task first that changed last; its creation is a
	// change too.
	ModifiedFirst
	// Shuffled lists the tasks in an order that has nothing to do with time and
	// does not change, as a database may without ORDER BY. A new task comes in
	// anywhere.
	Shuffled
)

// String returns the order in words.
func (o Order) String() string {
	return [...]string{"newest first", "oldest first", "by modification", "shuffled"}[o]
}

// compare returns a negative number if the list has a before b, a positive one
// if it has b before a, and 0 only for one task.
func (o Order) compare(a, b *Task) int {
	switch o {
	case OldestFirst:
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.arrival, b.arrival))
	case ModifiedFirst:
		return cmp.Compare(b.change, a.change)
	case Shuffled:
		return cmp.Or(cmp.Compare(mix(a.ID), mix(b.ID)), cmp.Compare(a.ID, b.ID))
	}
	return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.arrival, a.arrival))
}

// mix returns a number that looks random and is always the same for a text.
func mix(text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(text))
	// FNV alone leaves neighbouring numbers alike in the high bits.
	x := h.Sum64()
	x ^= x >> 31
	x *= 0x9e3779b97f4a7c15
	return x ^ x>>29
}
