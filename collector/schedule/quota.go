package schedule

import (
	"math"
	"time"
)

// never is an instant that does not come.
const never = time.Duration(math.MaxInt64)

// overslept bounds how much pace is made up after a timer that fired late. A
// tenth of a millisecond is usual, which would cost a tenth of 1,000 requests a
// second, and a busy machine is late by tens of them. More than this is a
// standstill, after which the server must not see a burst.
const overslept = 100 * time.Millisecond

// longestGap bounds the time between two slots: a rate close to zero would
// otherwise overflow a duration and have no pace at all.
const longestGap = 24 * time.Hour

// quota is the pace that its groups share.
type quota struct {
	groups []*group
	paused map[string]time.Duration // until when, by action; "" is all of them

	gap     time.Duration // between two slots
	last    time.Duration // the last slot
	used    bool          // there was a slot before
	awaited bool          // a job has been waiting for the next slot

	lastFirst bool // the last slot went to a first listing
}

// group is the jobs of one target and their requests under way.
type group struct {
	quota    string // the key of its quota
	skipped  uint64 // by jobs that are gone
	max      int
	jobs     int
	slowJobs int
	lanes    []*lane

	sending     int
	slowSending int
	slowFrom    time.Duration // no slow request before, if max leaves slow jobs none of their own
}

// lane is the jobs of a group that wait for the same kind of turn.
type lane struct {
	queue
	action string
	kind   kind
}

// lane returns the queue of an action and a kind. There are as many as the API
// has operations, three times.
func (g *group) lane(action string, k kind) *queue {
	for _, l := range g.lanes {
		if l.action == action && l.kind == k {
			return &l.queue
		}
	}
	l := &lane{queue: queue{before: urgentBefore}, action: action, kind: k}
	g.lanes = append(g.lanes, l)
	return &l.queue
}

// next returns the job that gets the slot, or when to look again. It looks at
// the heads of the lanes only, never at the jobs behind them.
func (q *quota) next(now time.Duration) (*job, time.Duration) {
	var heads [kinds]*job
	again := never
	for _, g := range q.groups {
		for _, l := range g.lanes {
			j := l.head()
			if j == nil {
				continue
			}
			from := max(q.paused[""], q.paused[l.action], g.from(l.kind))
			if from > now {
				again = min(again, from)
			} else if best := heads[l.kind]; best == nil || urgentBefore(j, best) {
				heads[l.kind] = j
			}
		}
	}
	return q.choose(heads), again
}

// choose lets first listings and other polls take turns. Slow jobs wait until
// there are no first listings, then stand in line with the others.
func (q *quota) choose(heads [kinds]*job) *job {
	if heads[first] == nil {
		if heads[other] == nil || heads[slow] != nil && urgentBefore(heads[slow], heads[other]) {
			return heads[slow]
		}
		return heads[other]
	}
	if heads[other] != nil && q.lastFirst {
		return heads[other]
	}
	return heads[first]
}

// from returns when the group may send the next request of a kind: an instant
// that has passed, one to come, or never, which means that a request must end
// before.
func (g *group) from(k kind) time.Duration {
	if g.sending >= g.max {
		return never
	}
	if k != slow || g.slowJobs == g.jobs {
		return 0
	}
	if g.slowSending >= max(g.max/2, 1) {
		return never
	}
	if g.max/2 == 0 {
		return g.slowFrom
	}
	return 0
}

// take hands out the slot of this instant.
func (q *quota) take(j *job, now time.Duration) {
	nominal := q.last + q.gap
	if q.awaited && q.used && now-nominal < overslept {
		q.last = nominal
	} else {
		q.last = now
	}
	q.used = true
	q.lastFirst = j.kind() == first
}

// free returns when the quota no longer holds anything back.
func (q *quota) free() time.Duration {
	free := q.open()
	for _, until := range q.paused {
		free = max(free, until)
	}
	return free
}

// open returns when the next slot is.
func (q *quota) open() time.Duration {
	if !q.used {
		return 0
	}
	return q.last + q.gap
}
