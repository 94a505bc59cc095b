package credentials

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// maxAhead is how long before their end credentials are renewed;
	// short-lived ones are renewed in the last third of their life.
	maxAhead = 3 * time.Minute
	// maxKeep bounds how long credentials are kept, whatever the answer
	// says: the longest session that a role may allow (MaxSessionDuration of
	// CreateRole, RAM documentation).
	maxKeep = 12 * time.Hour
	// A renewal may take as long as the caller that starts it can wait,
	// within these bounds: other callers share it, and a role that is
	// assumed by another role asks twice.
	minRenewalTime = 15 * time.Second
	maxRenewalTime = 40 * time.Second
	// renewalPace is the least time between two renewals of good
	// credentials, and between two renewals that the API forces by
	// rejecting them. Sources that do not say when their credentials end,
	// such as profile files, are asked as often.
	renewalPace = time.Minute
	// After a failure no renewal starts for firstHold, then for twice as
	// long each time, up to renewalPace: hundreds of plans must not turn an
	// outage of STS into a flood. The most is passingHold if the cause
	// passes and the credentials are about to end.
	firstHold   = time.Second
	passingHold = 3 * time.Second
)

// fetch gets credentials from a source. It ends with its context.
type fetch = func(context.Context) (Credentials, error)

// Session keeps temporary credentials valid. There is one renewal at a time,
// which all callers share. It starts before the credentials end, and callers
// use these until then, whether the renewal succeeds or not.
type Session struct {
	fetch fetch
	group singleflight.Group

	mu      sync.Mutex
	current Credentials
	// renewAt is when the current credentials are due, as is ahead before
	// their end. The first is by the monotonic clock, which stands still
	// while the machine is suspended, and the second by the wall clock,
	// which somebody may set. No renewal starts before heldUntil.
	renewAt, heldUntil time.Time
	ahead              time.Duration
	// forced means that the API has rejected the current credentials, so
	// that callers wait for the renewal. It last did at forcedAt.
	forced   bool
	forcedAt time.Time
	// failure is the outcome of the last renewal, and failures how many
	// have failed in a row.
	failure  error
	failures int
}

// NewSession returns a session whose credentials come from fetch. The context
// of a fetch has a deadline of its own, because a fetch may outlast the caller
// that started it.
func NewSession(fetch func(context.Context) (Credentials, error)) *Session {
	return &Session{fetch: fetch}
}

// Get returns the current credentials, or waits for new ones where there are
// none.
func (s *Session) Get(ctx context.Context) (Credentials, error) {
	now, due := s.state()
	if !due {
		return now.cred, now.err
	}
	renewal := s.group.DoChan("", func() (any, error) { return s.renew(context.WithoutCancel(ctx), renewalTime(ctx)) })
	if now.err == nil && !now.forced {
		return now.cred, nil
	}
	select {
	case renewed := <-renewal:
		return renewed.Val.(Credentials), renewed.Err
	case <-ctx.Done():
		return Credentials{}, ctx.Err()
	}
}

// renewalTime is how long a renewal may take that a caller with this context
// starts.
func renewalTime(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return maxRenewalTime
	}
	return min(max(time.Until(deadline), minRenewalTime), maxRenewalTime)
}

// holding is what a session has: credentials that may be used, or the reason
// why there are none.
type holding struct {
	cred   Credentials
	err    error
	forced bool
}

// state returns what there is, and whether a renewal is due.
func (s *Session) state() (have holding, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	due = (!now.Before(s.renewAt) || s.current.endsWithin(s.ahead)) && !now.Before(s.heldUntil)
	have.forced = s.forced
	switch {
	case s.current.usable():
		have.cred = s.current
	case s.failure != nil:
		have.err = s.failure
	default:
		have.err = &Error{Operation: "renew credentials", Cause: "the keys have ended"}
	}
	return have, due
}

// renew fetches new credentials, unless another renewal has just ended.
func (s *Session) renew(ctx context.Context, timeout time.Duration) (Credentials, error) {
	if have, due := s.state(); !due {
		return have.cred, have.err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	began := time.Now()
	cred, err := s.fetch(ctx)
	switch {
	case err == nil && !cred.sendable():
		err = &Error{Operation: "renew credentials", Cause: causeNoKeys}
	case err == nil && !cred.usable():
		err = &Error{Operation: "renew credentials", Cause: causeEnded}
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.forced, s.failure = false, err
	if err != nil {
		s.failures++
		s.heldUntil = time.Now().Add(s.hold(kindOf(err)))
		return Credentials{}, err
	}
	s.current, s.failures = cred, 0
	keep := renewalPace
	if !cred.expiration.IsZero() {
		life := cred.expiration.Sub(began)
		s.ahead = min(maxAhead, life/3)
		keep = min(life-s.ahead, maxKeep)
	}
	s.renewAt, s.heldUntil = began.Add(keep), began.Add(firstHold)
	return cred, nil
}

// hold is for how long no renewal starts after the last failure.
func (s *Session) hold(k kind) time.Duration {
	if s.current.usable() && !s.current.endsWithin(maxAhead) {
		return renewalPace
	}
	most := renewalPace
	if k.passes() {
		most = passingHold
	}
	return min(firstHold<<min(s.failures-1, 6), most) // 2^6 s is more than a minute
}

// Reject makes the next Get wait for a renewal if these credentials are still
// the current ones. Callers that reject the same credentials share one renewal.
// An API that rejects all credentials forces one renewal a minute; in between,
// Reject returns false.
func (s *Session) Reject(c Credentials) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch now := time.Now(); {
	case c != s.current, s.forced:
		return true
	case !s.forcedAt.IsZero() && now.Sub(s.forcedAt) < renewalPace:
		return false
	default:
		s.forced, s.forcedAt = true, now
		s.renewAt, s.heldUntil = time.Time{}, time.Time{}
		return true
	}
}

// Usable reports whether the current credentials have not ended.
func (s *Session) Usable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current.usable()
}

// ExpiresAt returns when the current credentials end, zero where they do not,
// or there are none.
func (s *Session) ExpiresAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current.expiration
}
