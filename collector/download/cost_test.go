package download_test

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/collector/download"
)

// costs plays polls of a plan with 10,000 ended and 5 open tasks and returns
// the requests of each.
func costs(t *testing.T, order listOrder, polls, interval int, live func(*polled)) (requests []int) {
	t.Helper()
	p := &polled{model: newModel(1, traits{order: order, size: 100, allFinish: true}, 10_000, 5), interval: interval}
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

// Polls after the first full listing, while nothing happens.
func TestRequestsOfALongHistory(t *testing.T) {
	for order, want := range map[listOrder]int{newestFirst: 1, oldestFirst: 1, byModification: 1, byModificationLast: 1, shuffled: 6} {
		requests := costs(t, order, 5, 100, func(*polled) {})
		if diff := cmp.Diff([]int{101, want, want, want, want}, requests); diff != "" {
			t.Errorf("%v: %s", order, diff)
		}
	}
}

// Two intervals of 30 polls, with a new task, one that ends and a deleted one
// between two polls: a page at each end of the list, and 101 pages twice.
func TestRequestsOfAChangingHistory(t *testing.T) {
	for _, order := range []listOrder{newestFirst, oldestFirst, byModification, byModificationLast} {
		requests := costs(t, order, 61, 30, func(p *polled) {
			p.add(p.now.Add(-time.Second))
			p.end(p.tasks[len(p.tasks)-6], p.now)
			p.remove(0, 1)
		})[1:]
		want := slices.Repeat([]int{2}, 60)
		want[29], want[59] = 101, 101
		if diff := cmp.Diff(want, requests); diff != "" {
			t.Errorf("%v: %s", order, diff)
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
