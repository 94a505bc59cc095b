package dbsapi

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxPause caps how long a server's answer can hold back further requests. The documented waits are seconds;
// a nonsense value must not silence an account for hours.
const maxPause = 5 * time.Minute

var (
	// errPaused: the server asked for a pause that outlasts the caller's deadline.
	errPaused = errors.New("the server asked to wait longer than the call may take")
	// errNoSlot: the rate limit has no slot before the caller's deadline.
	errNoSlot = errors.New("no slot within the rate limit before the deadline")
)

// Limiter paces the requests of one account to one endpoint, which share a quota on the server's side. One answer
// that reports throttling holds back all of them. It is safe for concurrent use.
type Limiter struct {
	bucket *rate.Limiter

	mu     sync.Mutex
	resume time.Time
}

// NewLimiter returns a limiter of that many requests a second. Requests are spaced evenly: the quota is counted by
// the second, and bursts are what gets throttled.
func NewLimiter(requestsPerSecond float64) *Limiter {
	return &Limiter{bucket: rate.NewLimiter(rate.Limit(requestsPerSecond), 1)}
}

// RequestsPerSecond returns the rate in force.
func (l *Limiter) RequestsPerSecond() float64 { return float64(l.bucket.Limit()) }

// SetRequestsPerSecond changes the rate for the requests to come.
func (l *Limiter) SetRequestsPerSecond(r float64) { l.bucket.SetLimit(rate.Limit(r)) }

// wait blocks until the next request may go. It fails at once where that cannot be before the context's deadline.
func (l *Limiter) wait(ctx context.Context) error {
	for pause := l.pauseLeft(); pause > 0; pause = l.pauseLeft() {
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < pause {
			return errPaused
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
	if err := l.bucket.Wait(ctx); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errNoSlot
	}
	return nil
}

// pause holds back all further requests for d.
func (l *Limiter) pause(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if resume := time.Now().Add(min(d, maxPause)); resume.After(l.resume) {
		l.resume = resume
	}
}

func (l *Limiter) pauseLeft() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Until(l.resume)
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
