package credentials

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// maxAhead is how long before their end credentials are renewed; short-lived ones are renewed in the last third
	// of their life.
	maxAhead = 3 * time.Minute
	// fetchTimeout bounds one renewal. The providers of credentials-go take up to 15 s a request, and the longest
	// chain in use makes two.
	fetchTimeout = 40 * time.Second
	// recheckAfter is how often a source is asked again that does not say when its credentials end: the environment
	// and profile files, whose keys are rotated in place.
	recheckAfter = time.Minute
	// failureHold is for how long a failed renewal answers for the next ones, so that hundreds of plans do not turn
	// an outage of STS into a flood.
	failureHold = time.Second
)

// Session keeps temporary credentials valid. There is one renewal at a time, which all callers share. It starts
// before the credentials end; until then callers go on with what they have, whether it succeeds or not.
type Session struct {
	fetch func(context.Context) (Credentials, error)
	group singleflight.Group

	mu      sync.Mutex
	current Credentials
	// renewAt is when the current credentials are due, zero when there are none that may be used.
	renewAt time.Time
	// failure is the outcome of the last renewal, and failedAt its time.
	failure  error
	failedAt time.Time
}

// NewSession returns a session whose credentials come from fetch. A fetch may outlive the caller that started it: it
// ends by its own context, which has a deadline.
func NewSession(fetch func(context.Context) (Credentials, error)) *Session {
	return &Session{fetch: fetch}
}

// Get returns the current credentials, or waits for new ones where there are none.
func (s *Session) Get(ctx context.Context) (Credentials, error) {
	cred, due, err := s.state()
	if !due {
		return cred, err
	}
	renewal := s.group.DoChan("", func() (any, error) { return s.renew(context.WithoutCancel(ctx)) })
	if usable(cred) {
		return cred, nil
	}
	select {
	case renewed := <-renewal:
		return renewed.Val.(Credentials), renewed.Err
	case <-ctx.Done():
		return Credentials{}, ctx.Err()
	}
}

// state returns what there is. Renewal is due where the credentials near their end and no failure holds it back.
// The error is that of a recent failure that left nothing to go on with.
func (s *Session) state() (cred Credentials, due bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.renewAt.IsZero() || now.After(s.renewAt) {
		due = now.Sub(s.failedAt) >= failureHold
	}
	if !due && !usable(s.current) {
		err = s.failure
	}
	return s.current, due, err
}

// renew fetches new credentials, unless a renewal that ended just now has brought some.
func (s *Session) renew(ctx context.Context) (Credentials, error) {
	if cred, due, err := s.state(); !due {
		return cred, err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	fetched := time.Now()
	cred, err := s.fetch(ctx)

	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failure, s.failedAt = err, time.Now()
		return Credentials{}, err
	}
	s.current, s.failure, s.failedAt = cred, nil, time.Time{}
	s.renewAt = fetched.Add(recheckAfter)
	if !cred.Expiration.IsZero() {
		lifetime := cred.Expiration.Sub(fetched)
		s.renewAt = cred.Expiration.Add(-min(maxAhead, lifetime/3))
	}
	return cred, nil
}

// usable tells whether credentials are there and have not ended.
func usable(c Credentials) bool {
	return c.AccessKeyID != "" && (c.Expiration.IsZero() || time.Now().Before(c.Expiration))
}

// Reject forgets the credentials if they are still the current ones; the next Get renews them.
func (s *Session) Reject(c Credentials) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c == s.current {
		s.current, s.renewAt = Credentials{}, time.Time{}
	}
	return true
}

// ExpiresAt returns when the current credentials end, zero where they do not, or there are none.
func (s *Session) ExpiresAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current.Expiration
}
