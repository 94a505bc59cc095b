package download_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/collector/download"
)

// limits that cut, so that series depend on what was read when.
var fewSeries = download.Limits{CompletedWithin: 3 * time.Hour, MaxPerPlan: 8}

// history is a plan that is polled, and beside it the truth: the same list read
// by itself in one piece each time.
type polled struct {
	*model
	tracker  download.Tracker
	truth    download.Ends
	interval int // full listings are made in so many polls
	polls    int
	fulls    int
	sent     int
	// arrived and deleted are what had come and gone at the last full listing.
	arrived, deleted int
	// excused: a poll may have missed an end, or counted it late.
	excused bool
	// paired: since the last full listing began, tasks came and went between the
	// requests of one poll, which totals need not show.
	paired bool
	// restarting: settled tasks change, so only full listings are right.
	restarting bool
}

func (p *polled) poll() (download.Outcome, error) {
	p.requests = 0
	arrived, deleted := p.model.arrived, p.model.deleted
	out, err := p.tracker.Poll(download.Conditions{
		Now: p.now, Limits: fewSeries, Full: p.polls%p.interval == 0,
	}, p.model)
	p.polls++
	p.sent += p.requests
	if out.Full {
		p.fulls++
		p.arrived, p.deleted = p.model.arrived, p.model.deleted
		p.paired = false
	}
	p.paired = p.paired || p.model.arrived > arrived && p.model.deleted > deleted
	return out, err
}

// check polls and compares with the truth.
func (p *polled) check() error {
	b := download.NewBuilder(fewSeries, p.now)
	rows := p.list()
	b.Add(rows)
	out, err := p.poll()
	if len(rows) == 0 && p.noTotal {
		if !errors.Is(err, download.ErrNoRows) {
			return fmt.Errorf("poll %d of an empty list without a total: %w", p.polls, err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	want, err := b.Listing(out.Listing.Total, out.Listing.Truncated)
	if err != nil {
		return err
	}
	ends := p.truth.Update(b, p.now)
	want.Unknown = out.Listing.Unknown // those of tasks that are gone stay
	if (p.restarting || p.paired) && !out.Full {
		return nil
	}
	if p.capped > 0 && len(rows) >= p.capped && !out.Full {
		p.excused = true // the list has just reached the bound; the next full listing shows that
		return nil
	}
	if (p.order == shuffled || out.Obstacle == download.NoOrder || p.absent > 0) && !out.Full && p.model.arrived > p.arrived && p.model.deleted > p.deleted {
		p.excused = true // without an order, a new task may hide a deletion until the next full listing
		return nil
	}
	if !want.Equal(out.Listing) {
		return fmt.Errorf("poll %d: full %v %q: %s", p.polls, out.Full, out.Obstacle, cmp.Diff(want, out.Listing))
	}
	if !p.excused && (ends.Finished != out.Ends.Finished || ends.Failed != out.Ends.Failed) {
		return fmt.Errorf("poll %d: full %v: ends %+v, want %+v", p.polls, out.Full, out.Ends, ends)
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

// run plays a history and reports the first poll that differs from the truth.
func run(seed uint64, t traits, rng *rand.Rand) error {
	p := &polled{model: newModel(seed, t, rng.IntN(50), rng.IntN(5)), interval: 5 + rng.IntN(40)}
	for range 1 + min(rng.IntN(100), rng.IntN(100), rng.IntN(100)) {
		if err := p.check(); err != nil {
			return fmt.Errorf("%+v: %w", t, err)
		}
		p.live()
	}
	return nil
}

// play plays random histories under each order, with what change does to the
// traits.
func play(t *testing.T, histories uint64, change func(*traits, *rand.Rand)) {
	for order := range numOrders {
		t.Run(order.String(), func(t *testing.T) {
			for seed := range histories {
				rng := rand.New(rand.NewPCG(seed, uint64(order)))
				traits := randomTraits(rng, order)
				change(&traits, rng)
				if err := run(seed, traits, rng); err != nil {
					t.Errorf("seed %d: %v", seed, err)
					return
				}
			}
		})
	}
}

// A poll that sees one state of the list finds what a full listing finds.
func TestPollsThatSeeOneState(t *testing.T) {
	play(t, 400, func(*traits, *rand.Rand) {})
}

// The total may be wrong by a constant, bounded or absent, tasks may be listed
// twice, and rows may have no ID.
func TestPollsOfWrongTotals(t *testing.T) {
	play(t, 400, wrongTotals)
}

func wrongTotals(t *traits, rng *rand.Rand) {
	switch rng.IntN(6) {
	case 0:
		t.lie = 1 + rng.IntN(3)
	case 1:
		t.lie = -1 - rng.IntN(3)
	case 2:
		t.repeated = 1 + rng.IntN(2)
	case 3:
		t.nameless = 1 + rng.IntN(2)
	case 4:
		t.capped = 10 + rng.IntN(30)
	case 5:
		t.noTotal = true
	}
}

// Creation times may be equal, absent, or in another order than the tasks came.
func TestPollsOfWrongTimes(t *testing.T) {
	play(t, 300, wrongTimes)
}

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

// Tasks may not be found by their IDs.
func TestPollsWithoutLookups(t *testing.T) {
	play(t, 300, func(t *traits, rng *rand.Rand) { t.lookups = 1 + rng.IntN(3) })
}

// The list may change between the requests of a poll. The next poll that sees
// one state is right again.
func TestPollsOfAMovingList(t *testing.T) {
	for order := range numOrders {
		t.Run(order.String(), func(t *testing.T) {
			for seed := range uint64(300) {
				rng := rand.New(rand.NewPCG(seed, uint64(order)))
				traits := randomTraits(rng, order)
				traits.step = time.Second
				p := &polled{model: newModel(seed, traits, rng.IntN(50), rng.IntN(5)), interval: 5 + rng.IntN(40)}
				p.excused = true // a moving poll may count an end earlier than the truth has it
				for range 1 + rng.IntN(30) {
					p.between = func() {
						if p.one(3) {
							p.live()
						}
					}
					_, err := p.poll()
					if p.between = nil; err == nil || errors.Is(err, download.ErrNoRows) {
						err = p.check()
					}
					if err != nil {
						t.Errorf("seed %d: %+v: %v", seed, traits, err)
						return
					}
					p.live()
				}
			}
		})
	}
}

// Settled tasks that change are seen with the next full listing.
func TestPollsAreWrongForOneInterval(t *testing.T) {
	for order := range numOrders {
		t.Run(order.String(), func(t *testing.T) {
			for seed := range uint64(300) {
				rng := rand.New(rand.NewPCG(seed, uint64(order)))
				traits := randomTraits(rng, order)
				traits.restarts = 3
				p := &polled{model: newModel(seed, traits, rng.IntN(50), rng.IntN(5)), interval: 5 + rng.IntN(10), restarting: true, excused: true}
				for range 1 + rng.IntN(50) {
					if err := p.check(); err != nil {
						t.Errorf("seed %d: %+v: %v", seed, traits, err)
						return
					}
					p.live()
				}
			}
		})
	}
}

// A failed task that is started again within a day of its failure is seen at
// once, also in the last poll of the day; after that, with a full listing.
func TestRestartInTheLastPollOfTheDay(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after time.Duration
		seen  bool
	}{{"in the last poll of the day", 24 * time.Hour, true}, {"a poll later", 24*time.Hour + time.Minute, false}} {
		t.Run(tt.name, func(t *testing.T) {
			m := newModel(1, traits{order: newestFirst, size: 10, allFinish: true}, 40, 0)
			failed := m.tasks[5]
			failed.Status, failed.Finished = "running", never
			var tracker download.Tracker
			poll := func(at time.Duration, change func()) download.Outcome {
				m.now = now.Add(at)
				change()
				m.rows = nil
				out, err := tracker.Poll(download.Conditions{Now: m.now, Limits: fewSeries}, m)
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
			nothing := func() {}
			poll(0, nothing)
			poll(time.Minute, func() { failed.Status = "stop" })
			poll(tt.after, nothing)
			out := poll(tt.after+time.Minute, func() { failed.Status = "running" })
			if seen := out.Listing.Counts[download.StatusRunning] == 1; seen != tt.seen || out.Full {
				t.Errorf("seen %t, full listing %t", seen, out.Full)
			}
		})
	}
}
