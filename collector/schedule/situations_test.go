package schedule_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"aliyun_dbs_exporter/collector/schedule"
)

const (
	minute = time.Minute
	quick  = 100 * time.Millisecond // the latency of a usual answer
)

func atMost(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if got > want {
		t.Errorf("%s: %s, want at most %s", what, got, want)
	}
}

func exactly[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// Six plans of 41 pages need 49.2 s of the pace, and a request each for the
// first pages that are read twice.
func TestLongListings(t *testing.T) {
	simulate(t, func(w *world) {
		p := plans(6, "long", plan{pages: 41, every: 70 * time.Second, latency: quick})
		w.set(p)
		w.until(30 * minute)
		atMost(t, "all listed", w.listed(p), minute)
		exactly(t, "failed", failures(p), 0)
		exactly(t, "skipped", w.skipped(p), 0)
	})
}

func TestTenRegionsOnOneEndpoint(t *testing.T) {
	simulate(t, func(w *world) {
		w.groups = nil
		var p []*plan
		for r := range 10 {
			region := fmt.Sprint("region-", r)
			w.groups = append(w.groups, schedule.Group{Key: region, Quota: "quota", MaxConcurrent: 4})
			p = append(p, plans(20, region, plan{group: region, pages: 4, every: 5 * minute, latency: quick})...)
		}
		w.set(p)
		w.until(45 * minute)
		atMost(t, "first round", w.listed(p), 165*time.Second)
		exactly(t, "skipped", w.skipped(p), 0)
	})
}

// From a load of the exact quota on, every plan gets the same share.
func TestManyPlansOfOnePage(t *testing.T) {
	for _, c := range []struct {
		plans int
		late  time.Duration // 0: not looked at
		gap   time.Duration
		ratio float64 // most over fewest polls
	}{
		{plans: 210, late: 3 * time.Second, gap: minute, ratio: 1},
		{plans: 300, late: 6 * time.Second, gap: minute, ratio: 1},
		{plans: 330, gap: 95 * time.Second, ratio: 1.1},
		{plans: 400, gap: 90 * time.Second, ratio: 1.05},
		{plans: 600, gap: 130 * time.Second, ratio: 1.05},
		{plans: 900, gap: 185 * time.Second, ratio: 1.1},
	} {
		t.Run(fmt.Sprint(c.plans), func(t *testing.T) {
			simulate(t, func(w *world) {
				w.t = t
				p := plans(c.plans, "plan", plan{pages: 1, latency: quick})
				w.set(p)
				w.until(10 * minute)
				before := w.skipped(p)
				if c.late > 0 {
					atMost(t, "late", w.latest(p, 20*minute), c.late)
				}
				w.until(50 * minute)
				fewest, most, gap := polls(p, 10*minute)
				atMost(t, "gap", gap, c.gap+time.Second)
				// A poll at either edge belongs to the time for some plans only.
				if float64(most-1) > c.ratio*float64(fewest) {
					t.Errorf("fewest %d polls, most %d", fewest, most)
				}
				// A start that is late by half an interval leaves slots unused.
				skips := float64(w.skipped(p)-before) / float64(40*c.plans)
				tooMany := max(0, 1-300/float64(c.plans))
				if skips < tooMany-0.02 || skips > tooMany+0.07 || tooMany == 0 && skips > 0 {
					t.Errorf("skipped %.2f of the due times, %.2f do not fit", skips, tooMany)
				}
			})
		})
	}
}

// Long and short plans of two targets get the same share of their polls.
func TestLongPlansBesideShortOnes(t *testing.T) {
	for _, every := range []time.Duration{minute, 5 * minute} {
		t.Run(every.String(), func(t *testing.T) {
			simulate(t, func(w *world) {
				w.groups = []schedule.Group{
					{Key: "long", Quota: "quota", MaxConcurrent: 4}, {Key: "short", Quota: "quota", MaxConcurrent: 4},
				}
				long := plans(5, "long", plan{group: "long", pages: 100, every: every, latency: quick})
				short := plans(200, "short", plan{group: "short", pages: 1, every: every, latency: quick})
				w.set(long, short)
				w.until(15 * minute)
				before := w.skipped(long) + w.skipped(short)
				if every == 5*minute {
					// Three of the long plans have due times close together, and
					// 300 pages take a minute.
					atMost(t, "late", w.latest(slices.Concat(long, short), 30*minute), minute)
				}
				w.until(75 * minute)
				due := int(60 * minute / every)
				for name, p := range map[string][]*plan{"long": long, "short": short} {
					fewest, most, _ := polls(p, 15*minute)
					want := due
					if every == minute { // 300 of the 700 requests that are due in a minute
						want = due * 300 / 700
					}
					if fewest < want-due/20 || most > want+due/20 {
						t.Errorf("%s plans: %d to %d polls, want %d", name, fewest, most, want)
					}
				}
				if every == 5*minute {
					exactly(t, "skipped", w.skipped(long)+w.skipped(short), before)
				}
			})
		})
	}
}

// A new target of a thousand plans, seventy of them long: nobody waits behind
// the long ones. The polls that are due again meanwhile get every other slot.
func TestThousandPlansAtOnce(t *testing.T) {
	simulate(t, func(w *world) {
		short := plans(930, "short", plan{pages: 1, every: 10 * minute, latency: quick})
		long := plans(70, "long", plan{pages: 40, every: 10 * minute, latency: quick})
		w.set(short, long)
		w.until(30 * minute)
		atMost(t, "short ones", w.listed(short), 200*time.Second)
		atMost(t, "all", w.listed(long), 1130*time.Second)
		for _, p := range long {
			exactly(t, "deferred", p.defers, 1)
		}
	})
}

// Lists are due less often than tasks, so they lose nothing in overload.
func TestListsBesideTasks(t *testing.T) {
	for _, c := range []struct {
		name  string
		tasks int
	}{{"within the pace", 200}, {"overload", 450}} {
		t.Run(c.name, func(t *testing.T) {
			simulate(t, func(w *world) {
				found := plans(1, "plans", plan{list: true, pages: 50, every: 10 * minute, latency: quick})
				gateways := plans(1, "gateways", plan{list: true, pages: 5, every: 10 * minute, latency: quick})
				sets := plans(300, "sets", plan{list: true, pages: 1, every: 10 * minute, latency: quick})
				tasks := plans(c.tasks, "tasks", plan{pages: 1, latency: quick})
				w.set(found, gateways)
				w.until(16 * time.Second)
				atMost(t, "discovery", w.listed(found), 16*time.Second)
				w.set(found, gateways, sets, tasks)
				w.until(20 * minute)
				before := w.skipped(tasks)
				if c.tasks == 200 {
					atMost(t, "tasks late", w.latest(tasks, 30*minute), 12*time.Second)
				}
				w.until(50 * minute)
				exactly(t, "lists skipped", w.skipped(found)+w.skipped(gateways)+w.skipped(sets), 0)
				if c.tasks == 200 {
					exactly(t, "tasks skipped", w.skipped(tasks), before)
					return
				}
				fewest, most, _ := polls(tasks, 20*minute)
				if fewest < 57*30/100 || most > 62*30/100 { // 59 % of 30 due times
					t.Errorf("tasks: %d to %d polls of 30", fewest, most)
				}
			})
		})
	}
}
