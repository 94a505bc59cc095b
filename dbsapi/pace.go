package dbsapi

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// minAttempt is the shortest limit of an attempt, unless the budget has less left.
// Without it the limits would halve with every attempt. 12 s was chosen in a
// simulation of the schedule, not measured at the API.
const minAttempt = 12 * time.Second

// Pace says when the requests of one poll may be sent, and how long they may
// take. The zero Pace sends at once and has no bound but the context.
type Pace struct {
	// Turn waits until a request of the action may be sent, and returns a
	// function to call when its answer is in. Its error ends the listing.
	// Nil sends at once, except that pauses the server asks for are kept.
	Turn func(ctx context.Context, action string) (end func(), err error)
	// Budget bounds the time of requests and of the waits between their
	// attempts, all pages together. Waiting for a turn does not count, nor
	// does a pause that the server asked for. Nil has no bound but the context.
	Budget *Budget
	// OneAttempt is for a plan that is slow or never answered: each request
	// gets a single attempt of half the budget, at least 12 s. Answers that
	// are throttled, or HTTP 503 and ask for a pause, do not count as one.
	OneAttempt bool
	// Sent is called for each request that was sent, and may be nil.
	Sent func()
}

// sent tells that a request was sent.
func (p Pace) sent() {
	if p.Sent != nil {
		p.Sent()
	}
}

// turn waits for permission to send.
func (p Pace) turn(ctx context.Context, action string) (end func(), err error) {
	if p.Turn == nil {
		return func() {}, ctx.Err()
	}
	return p.Turn(ctx, action)
}

// hasTimeFor reports whether another attempt can be made after the waits of a
// step. With Turn, the schedule keeps the pause.
func (p Pace) hasTimeFor(ctx context.Context, s step) bool {
	wait := s.wait
	if p.Turn == nil {
		wait += s.pause.longest()
	}
	deadline, ok := ctx.Deadline()
	return p.Budget.left() > s.wait && (!ok || time.Until(deadline) > wait)
}

// rest waits between two attempts.
func (p Pace) rest(ctx context.Context, s step) error {
	if p.Turn == nil {
		if err := sleep(ctx, s.pause.longest()); err != nil {
			return err
		}
	}
	defer p.Budget.count(time.Now())
	return sleep(ctx, s.wait)
}

// attemptTime returns how long an attempt may take: what the budget leaves, or
// half of that if another attempt may follow. With OneAttempt it is half of the
// whole budget. A half is at least minAttempt, if the budget has as much left.
func (p Pace) attemptTime(mayFollow bool) time.Duration {
	left := p.Budget.left()
	switch {
	case p.OneAttempt:
		return min(left, max(p.Budget.half(), minAttempt))
	case mayFollow:
		return min(left, max(left/2, minAttempt))
	}
	return left
}

// Budget is the time that the requests of one poll may take together. It is
// safe for concurrent use.
type Budget struct {
	total time.Duration
	spent atomic.Int64
}

// NewBudget returns a budget of d.
func NewBudget(d time.Duration) *Budget { return &Budget{total: d} }

// Left returns what is left, at least 0.
func (b *Budget) Left() time.Duration {
	return max(0, b.total-time.Duration(b.spent.Load()))
}

// noBudget is more time than anything takes.
const noBudget = time.Duration(math.MaxInt64)

func (b *Budget) left() time.Duration {
	if b == nil {
		return noBudget
	}
	return b.Left()
}

func (b *Budget) half() time.Duration {
	if b == nil {
		return noBudget
	}
	return b.total / 2
}

// count spends the time since start.
func (b *Budget) count(start time.Time) {
	if b != nil {
		b.spent.Add(int64(time.Since(start)))
	}
}

// within bounds a context by d, unless d is no bound.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d == noBudget {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

// sleep waits for d, or returns the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
