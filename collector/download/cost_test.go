package download_test

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/collector/download"
)

// costs plays polls of a plan with a long history and 5 open tasks, compares
// each with the truth, and returns their requests.
func costs(t *testing.T, tr traits, polls, interval int, live func(*polled)) (requests []int) {
	t.Helper()
	tr.size, tr.allFinish = 100, true
	p := &polled{model: newModel(1, tr, longHistory, 5), interval: interval, limits: dayOfTen}
	for range polls {
		if err := p.check(); err != nil {
			t.Fatal(err)
		}
		requests = append(requests, p.requests)
		p.now, p.rows = p.now.Add(time.Minute), nil
		live(p)
	}
	return requests
}

const longPages = longHistory/100 + 1

// Polls after the first full listing, while nothing happens.
func TestRequestsOfALongHistory(t *testing.T) {
	for _, order := range []listOrder{newestFirst, oldestFirst, byModification, byModificationLast} {
		requests := costs(t, traits{order: order}, 5, 100, func(*polled) {})
		if diff := cmp.Diff([]int{longPages, 1, 1, 1, 1}, requests); diff != "" {
			t.Errorf("%v: %s", order, diff)
		}
	}
	// A page in turn, and the open tasks that it does not have by ID.
	requests := costs(t, traits{order: shuffled}, 5, 100, func(*polled) {})
	if diff := cmp.Diff(append([]int{longPages}, shuffledPolls...), requests); diff != "" {
		t.Errorf("%v: %s", shuffled, diff)
	}
}

// A server that sends pages of its own size is asked once for a smaller one.
func TestRequestsOfAServerWithItsOwnPageSize(t *testing.T) {
	requests := costs(t, traits{order: oldestFirst, ownSize: true}, 4, 100, func(*polled) {})
	if diff := cmp.Diff([]int{longPages, 1 + longPages, 2, 2}, requests); diff != "" {
		t.Error(diff)
	}
}

// Two intervals of 30 polls, with a new task, one that ends and a deleted one
// between two polls: a page at each end of the list, and all pages twice.
func TestRequestsOfAChangingHistory(t *testing.T) {
	for _, order := range []listOrder{newestFirst, oldestFirst, byModification, byModificationLast} {
		requests := costs(t, traits{order: order}, 61, 30, func(p *polled) {
			p.add(p.now.Add(-time.Second))
			p.end(p.tasks[len(p.tasks)-6], p.now)
			p.remove(0, 1)
		})[1:]
		want := slices.Repeat([]int{2}, 60)
		want[29], want[59] = longPages, longPages
		if diff := cmp.Diff(want, requests); diff != "" {
			t.Errorf("%v: %s", order, diff)
		}
	}
}

// A task that is deleted by hand between two polls takes at most 14 requests more
// than if nothing happens.
func TestRequestsOfDeletionsByHand(t *testing.T) {
	for _, order := range []listOrder{newestFirst, oldestFirst, byModification, byModificationLast} {
		rng := rand.New(rand.NewPCG(1, uint64(order)))
		requests := costs(t, traits{order: order}, 31, 1000, func(p *polled) { p.remove(rng.IntN(len(p.tasks)-5), 1) })[1:]
		if most := slices.Max(requests); most > 15 {
			t.Errorf("%v: up to %d requests: %v", order, most, requests)
		}
	}
}

// An incremental poll allocates no more for a long history than for a short one.
func TestAllocationsOfAPoll(t *testing.T) {
	bytes := func(ended int) int64 {
		m := newModel(1, traits{order: newestFirst, size: 100, step: time.Minute, allFinish: true}, ended, 5)
		var tracker download.Tracker
		fulls := 0
		poll := func() {
			m.now = m.now.Add(time.Minute)
			out, err := tracker.Poll(download.Conditions{Now: m.now, Limits: dayOfTen}, m)
			if err != nil {
				t.Fatal(err)
			}
			if fulls++; !out.Full {
				fulls = 0
			}
			if fulls > 1 {
				t.Fatal("full listing: ", out.Obstacle)
			}
		}
		const polls = 100
		poll()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range polls {
			poll()
		}
		runtime.ReadMemStats(&after)
		return int64(after.TotalAlloc-before.TotalAlloc) / polls
	}
	short, long := bytes(1_000), bytes(20_000)
	if long > short+short/10 {
		t.Errorf("%d bytes with 1,000 tasks, %d with 20,000", short, long)
	}
	t.Log(short, long)
}
