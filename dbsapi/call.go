package dbsapi

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strconv"
	"time"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

// Attempt is one try of a request, for metrics and for the schedule.
type Attempt struct {
	// Action is the API operation.
	Action string
	// Err is nil for a good answer.
	Err *Error
	// Sent reports whether the request was handed to the network, even if no
	// connection came about. Without credentials nothing is sent.
	Sent bool
	// Duration is the time from sending the request to the end of the answer, 0
	// if nothing was sent.
	Duration time.Duration
	// ServerTime is the Date header of the answer, with a precision of seconds,
	// and LocalTime the local time at which it arrived. Both are zero if there
	// was no answer with a date, or if a good answer has one that is over 15
	// minutes off.
	ServerTime, LocalTime time.Time
	// Pause is what a throttled answer or HTTP 503 asks for, or a wait of the
	// client's own choice where a throttled answer names none.
	Pause Pause
}

// Pause is how long to send no further requests. 0 asks for no pause.
type Pause struct {
	// Action holds back requests of the same action.
	Action time.Duration
	// Account holds back all requests of the account to this endpoint.
	Account time.Duration
}

// longest returns how long the request that was answered must wait.
func (p Pause) longest() time.Duration { return max(p.Action, p.Account) }

// call is a request for one page, with all its attempts.
type call struct {
	pace          Pace
	action, query string
	// pages is how many pages of the list were read before.
	pages int
	// newRows makes the target of one attempt with an answer of that many bytes,
	// so that none mixes with what a broken answer left behind.
	newRows func(length int) rows
}

// do asks until there is a good answer, an error that another attempt will not
// fix, or no time for another attempt.
func (c *Client) do(ctx context.Context, r call) (answer, error) {
	retry := newRetry(r.pace.OneAttempt)
	for {
		if r.pace.Budget.left() <= 0 {
			return answer{}, r.outOfTime()
		}
		a, next, err := c.attempt(ctx, r, retry)
		if !next.again {
			return a, err
		}
		if err := r.pace.rest(ctx, next); err != nil {
			return answer{}, err
		}
	}
}

// attempt waits for a turn, makes one attempt, and decides what comes next. The
// observer learns of a pause before the turn ends, so that no other request of
// the scope gets the next turn.
func (c *Client) attempt(ctx context.Context, r call, retry *retry) (answer, step, error) {
	end, err := r.pace.turn(ctx, r.action)
	if err != nil {
		return answer{}, step{}, err
	}
	defer end()
	attempt := Attempt{Action: r.action}
	a, cred, failure := c.send(ctx, r, retry.mayFollow(), &attempt)
	if errors.Is(ctx.Err(), context.Canceled) {
		if attempt.Sent {
			c.observe(attempt) // it counts against the quota
		}
		return answer{}, step{}, ctx.Err() // the caller left; that is not the API's failure
	}
	if failure == nil {
		c.observe(attempt)
		return a, step{}, nil
	}
	if failure.timedOut && r.pace.Budget.left() <= 0 {
		failure = r.outOfTime()
	}
	next := retry.next(failure, attempt.Pause, func() bool { return c.credentials.Reject(cred) })
	attempt.Err, attempt.Pause = failure, next.pause
	c.observe(attempt)
	next.again = next.again && r.pace.hasTimeFor(ctx, next)
	return answer{}, next, failure
}

// send gets credentials and sends one request, bounded in time and size. It
// notes in attempt what it measures.
func (c *Client) send(
	ctx context.Context, r call, mayFollow bool, attempt *Attempt,
) (answer, credentials.Credentials, *Error) {
	cred, err := c.getCredentials(ctx, r.pace.Budget)
	if err != nil {
		return answer{}, cred, &Error{Action: r.action, Reason: ReasonCredentials, cause: err.Error()}
	}
	if r.pace.Budget.left() <= 0 {
		return answer{}, cred, r.outOfTime() // the credentials took all of it
	}
	defer r.pace.Budget.count(time.Now())
	ctx, cancel := within(ctx, r.pace.attemptTime(mayFollow))
	defer cancel()
	req := c.request(ctx, r)
	sign(req, cred, time.Now(), rand.Text())

	attempt.Sent = true
	r.pace.sent()
	defer func(sent time.Time) { attempt.Duration = time.Since(sent) }(time.Now())
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return answer{}, cred, transportError(r.action, err)
	}
	defer resp.Body.Close()
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		attempt.ServerTime, attempt.LocalTime = date, time.Now()
	}
	a, failure := c.read(ctx, resp, r)
	if failure != nil {
		failure.hide(cred.AccessKeyID(), cred.AccessKeySecret(), cred.SecurityToken())
		now := attempt.ServerTime // by its own clock, the server's dates are right
		if now.IsZero() {
			now = time.Now()
		}
		attempt.Pause = pauseAsked(failure, resp.Header, now)
	}
	switch skewed := attempt.ServerTime.Sub(attempt.LocalTime).Abs() > signatureLife; {
	case !skewed:
		a.serverTime = attempt.ServerTime
	case failure == nil:
		attempt.ServerTime, attempt.LocalTime = time.Time{}, time.Time{}
	}
	return a, cred, failure
}

// signatureLife is how far the server's clock may be from ours: it rejects a
// signature whose time differs by more (code InvalidTimeStamp.Expired). A good
// answer with another Date did not get it from the server's clock.
const signatureLife = 15 * time.Minute

// getCredentials may take all that the budget has left: without credentials
// there is nothing to send.
func (c *Client) getCredentials(ctx context.Context, b *Budget) (credentials.Credentials, error) {
	defer b.count(time.Now())
	ctx, cancel := within(ctx, b.left())
	defer cancel()
	return c.credentials.Get(ctx)
}

func (c *Client) request(ctx context.Context, r call) *http.Request {
	endpoint := *c.endpoint
	endpoint.RawQuery = r.query
	req := &http.Request{
		Method: http.MethodPost,
		URL:    &endpoint,
		Host:   endpoint.Host,
		Header: http.Header{
			"Accept":        {"application/json"},
			"User-Agent":    {c.userAgent},
			"X-Acs-Action":  {r.action},
			"X-Acs-Version": {apiVersion},
		},
		Body: http.NoBody,
	}
	return req.WithContext(ctx)
}

// outOfTime describes a poll whose budget is spent.
func (r call) outOfTime() *Error {
	cause := "the poll's time ran out before the first page"
	switch {
	case r.pages == 1:
		cause = "the poll's time ran out after 1 page"
	case r.pages > 1:
		cause = "the poll's time ran out after " + strconv.Itoa(r.pages) + " pages"
	}
	return &Error{Action: r.action, Reason: ReasonTimeout, cause: cause, permanent: true}
}
