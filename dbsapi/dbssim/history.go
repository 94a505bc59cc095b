package dbssim

import (
	"slices"
	"sync"
	"time"
)

// Retention is which tasks of a plan are forgotten, finished or not.
type Retention struct {
	// Newest is how many tasks are kept: those that were created last. 0 means
	// all.
	Newest int
	// Age is how long ago a kept task may have been created; 0 means any time.
	Age time.Duration
}

// History is a list of download tasks that changes while it is served. It stays
// sorted, so a page costs the same in a list of ten tasks and of ten thousand. It
// is safe for concurrent use.
type History struct {
	order     Order
	retention Retention

	mu sync.Mutex
	// tasks are in the order of the list. Nothing is written to the slice: a
	// change makes the next one, because an answer may still read this one.
	tasks []Task
	// arrivals and changes count the tasks that came and the changes of any.
	arrivals, changes int64
	// oldest is when the first of the tasks was created.
	oldest time.Time
	// life, if set, brings new tasks and changes.
	life *follower
}

// NewHistory returns a list of tasks. Each must have an ID of its own.
func NewHistory(order Order, retention Retention, tasks ...Task) *History {
	h := &History{order: order, retention: retention}
	h.put(tasks)
	return h
}

// Put adds tasks, or changes those of the same IDs.
func (h *History) Put(tasks ...Task) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.put(tasks)
}

// Delete removes tasks, as somebody does by hand: at once and without a trace.
// IDs that are not in the list are ignored.
func (h *History) Delete(ids ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forget(func(t Task) bool { return slices.Contains(ids, t.ID) })
}

// Tasks returns the list at a time. It is what [Plan.Tasks] needs; the caller
// must not change the slice.
func (h *History) Tasks(now time.Time) []Task {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.life != nil {
		h.put(h.life.advance(now, h.retention.Newest, h.has))
	}
	if limit := now.Add(-h.retention.Age); h.retention.Age > 0 && h.oldest.Before(limit) {
		h.forget(func(t Task) bool { return t.Created.Before(limit) })
	}
	return h.tasks
}

// put numbers the tasks and merges them into the list.
func (h *History) put(tasks []Task) {
	if len(tasks) == 0 {
		return
	}
	tasks = slices.Clone(tasks)
	h.number(tasks)
	replaced := make(map[string]bool, len(tasks))
	for i := range tasks {
		replaced[tasks[i].ID] = true
	}
	slices.SortFunc(tasks, func(a, b Task) int { return h.order.compare(&a, &b) })

	next := make([]Task, 0, len(h.tasks)+len(tasks))
	for i := range h.tasks {
		if replaced[h.tasks[i].ID] {
			continue
		}
		for len(tasks) > 0 && h.order.compare(&tasks[0], &h.tasks[i]) < 0 {
			next, tasks = append(next, tasks[0]), tasks[1:]
		}
		next = append(next, h.tasks[i])
	}
	h.replace(append(next, tasks...))
	h.keepNewest()
}

// number gives every task its place among the arrivals and changes of the list:
// in the order of their times, because those of a batch came one by one.
func (h *History) number(tasks []Task) {
	arrival := make(map[string]int64, len(tasks))
	for i := range tasks {
		arrival[tasks[i].ID] = 0
	}
	for i := range h.tasks {
		if _, known := arrival[h.tasks[i].ID]; known {
			arrival[h.tasks[i].ID] = h.tasks[i].arrival
		}
	}
	slices.SortStableFunc(tasks, func(a, b Task) int { return a.Created.Compare(b.Created) })
	for i := range tasks {
		if tasks[i].arrival = arrival[tasks[i].ID]; tasks[i].arrival == 0 {
			h.arrivals++
			tasks[i].arrival = h.arrivals
		}
	}
	slices.SortStableFunc(tasks, func(a, b Task) int { return a.changed().Compare(b.changed()) })
	for i := range tasks {
		h.changes++
		tasks[i].change = h.changes
	}
}

// changed returns the last time that a task carries.
func (t *Task) changed() time.Time {
	if t.Finished.After(t.Created) {
		return t.Finished
	}
	return t.Created
}

// keepNewest forgets the tasks that were created first, if there are too many.
func (h *History) keepNewest() {
	excess := len(h.tasks) - h.retention.Newest
	if h.retention.Newest <= 0 || excess <= 0 {
		return
	}
	created := make([]*Task, len(h.tasks))
	for i := range h.tasks {
		created[i] = &h.tasks[i]
	}
	slices.SortFunc(created, OldestFirst.compare)
	h.forget(func(t Task) bool { return OldestFirst.compare(&t, created[excess]) < 0 })
}

// forget removes the tasks of which gone returns true.
func (h *History) forget(gone func(Task) bool) {
	h.replace(slices.DeleteFunc(slices.Clone(h.tasks), gone))
}

// replace makes tasks the list.
func (h *History) replace(tasks []Task) {
	h.tasks, h.oldest = tasks, time.Time{}
	for i := range tasks {
		if i == 0 || tasks[i].Created.Before(h.oldest) {
			h.oldest = tasks[i].Created
		}
	}
}

// has reports whether a task is in the list.
func (h *History) has(id string) bool {
	return slices.ContainsFunc(h.tasks, func(t Task) bool { return t.ID == id })
}
