package download_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"aliyun_dbs_exporter/collector/download"
)

// property is what must hold of every history of an API with some traits.
type property struct {
	name   string
	traits func(*traits, *rand.Rand)
	play   func(*polled, *rand.Rand) error
}

var properties = []property{
	{"polls that see one state", func(*traits, *rand.Rand) {}, equalToTheTruth},
	{"wrong totals and rows", wrongTotals, equalToTheTruth},
	{"wrong times", wrongTimes, equalToTheTruth},
	{"no lookups", func(t *traits, rng *rand.Rand) { t.lookups = 1 + rng.IntN(3) }, equalToTheTruth},
	{"a list that moves", func(t *traits, _ *rand.Rand) { t.step = time.Second }, rightAgain},
	{"states of a moving list", func(t *traits, _ *rand.Rand) { t.step = time.Second }, trueAtSomeMoment},
	{"wrong for one interval", func(t *traits, _ *rand.Rand) { t.restarts = 3 }, rightWithTheNextFullListing},
}

// history plays a random history.
func (p property) history(order listOrder, seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, uint64(order)))
	traits := randomTraits(rng, order)
	p.traits(&traits, rng)
	plan := &polled{
		model: newModel(seed, traits, rng.IntN(50), rng.IntN(5)), interval: 5 + rng.IntN(40), limits: fewSeries,
	}
	if err := p.play(plan, rng); err != nil {
		return fmt.Errorf("seed %d, %+v: %w", seed, traits, err)
	}
	return nil
}

func TestProperties(t *testing.T) {
	for _, p := range properties {
		for order := range numOrders {
			t.Run(p.name+", "+order.String(), func(t *testing.T) {
				t.Parallel()
				for seed := range uint64(histories) {
					if err := p.history(order, seed); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

// Histories that were wrong once.
func TestHistoriesThatWereWrong(t *testing.T) {
	for _, tt := range []struct {
		why      string
		property int
		order    listOrder
		seed     uint64
	}{
		{"a task that was found to be gone twice counted twice", 0, newestFirst, 92},
		{"a deletion was looked for where nothing had been read", 0, oldestFirst, 298},
		{"a task that was modified without a trace hid a new one behind it", 1, byModificationLast, 375},
		{"a list without an order had one by chance", 4, shuffled, 63},
		{"the third full listing during which a task was deleted was built on", 5, oldestFirst, 776},
		{"a deletion hid a task that had moved while all were read", 5, byModification, 271},
		{"likewise", 4, byModification, 498},
	} {
		t.Run(tt.why, func(t *testing.T) {
			if err := properties[tt.property].history(tt.order, tt.seed); err != nil {
				t.Error(err)
			}
		})
	}
}

// equalToTheTruth: a poll that sees one state of the list finds what a full
// listing finds.
func equalToTheTruth(p *polled, rng *rand.Rand) error {
	for range 1 + min(rng.IntN(100), rng.IntN(100), rng.IntN(100)) {
		if err := p.check(); err != nil {
			return err
		}
		p.live()
	}
	return nil
}

// rightAgain: the list changes between the requests of a poll. The next poll that
// sees one state is right again.
func rightAgain(p *polled, rng *rand.Rand) error {
	p.excused = true // a moving poll may count an end before the truth does
	for range 1 + rng.IntN(30) {
		_, err := p.pollOfAMovingList(func() {})
		if err == nil || errors.Is(err, download.ErrNoRows) {
			err = p.check()
		}
		if err != nil {
			return err
		}
		p.live()
	}
	return nil
}

// pollOfAMovingList polls while the list changes, and calls changed each time.
func (p *polled) pollOfAMovingList(changed func()) (download.Outcome, error) {
	p.moving = true
	p.between = func() {
		if p.one(3) {
			p.live()
			changed()
		}
	}
	defer func() { p.between = nil }()
	return p.poll()
}

// trueAtSomeMoment: what a poll shows of each task held at some moment between
// its first request and its last.
func trueAtSomeMoment(p *polled, rng *rand.Rand) error {
	p.limits = everything
	for range 1 + rng.IntN(30) {
		held := make(map[string]bool)
		note := func() {
			for _, t := range p.tasks {
				held[fmt.Sprint(t.ID, download.ParseStatus(t.Status), t.Finished.UnixMilli())] = true
			}
		}
		note()
		out, err := p.pollOfAMovingList(note)
		if err != nil && !errors.Is(err, download.ErrNoRows) {
			return err
		}
		if err == nil && !p.hidden(out) {
			for _, t := range out.Listing.Series {
				if !held[fmt.Sprint(t.ID, t.Status, t.Finished.UnixMilli())] {
					return fmt.Errorf("poll %d, full %t: task %s was never %v", p.polls, out.Full, t.ID, t.Status)
				}
			}
		}
		p.live()
	}
	return nil
}

// rightWithTheNextFullListing: settled tasks that change are seen with the next
// full listing.
func rightWithTheNextFullListing(p *polled, rng *rand.Rand) error {
	p.interval = 5 + rng.IntN(10)
	p.restarting, p.excused = true, true
	for range 1 + rng.IntN(50) {
		if err := p.check(); err != nil {
			return err
		}
		p.live()
	}
	return nil
}

// randomTraits are those of an API that lists each task once and counts them.
func randomTraits(rng *rand.Rand, order listOrder) traits {
	often := func(n ...int) int { return n[rng.IntN(len(n))] }
	return traits{
		order: order, size: 8 + rng.IntN(5), base: often(0, 0, 1), beyond: beyond(rng.IntN(int(numBeyond))),
		arrivals: often(1, 2, 5, 0), retention: often(0, 20, 35), keep: often(0, 0, 10),
		byHand: often(0, 3, 15), inBulk: often(0, 0, 25), bursts: often(0, 0, 20),
		step: time.Duration(often(1, 1, 1, 60, 300)) * time.Minute, lookups: often(0, 0, 0, 10),
	}
}

// wrongTotals: the total may be wrong by a constant, bounded or absent, tasks may
// be listed twice, and rows may have no ID.
func wrongTotals(t *traits, rng *rand.Rand) {
	switch rng.IntN(6) {
	case 0:
		t.lie = 1 + rng.IntN(3)
	case 1:
		t.lie = -1 - rng.IntN(3)
	case 2:
		t.repeated = 1 + rng.IntN(2)
	case 3:
		t.withoutID = 1 + rng.IntN(2)
	case 4:
		t.capped = 10 + rng.IntN(30)
	case 5:
		t.noTotal = true
	}
}

// wrongTimes: creation times may be equal, absent, or in another order than the
// tasks came.
func wrongTimes(t *traits, rng *rand.Rand) {
	switch rng.IntN(3) {
	case 0:
		t.absent = 1 + rng.IntN(4)
	case 1:
		t.jitter = 5 + rng.IntN(100_000)
	case 2:
		t.jitter, t.bursts = 5, 5
	}
}
