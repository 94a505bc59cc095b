package dbsapi

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"aliyun_dbs_exporter/dbsapi/internal/gateway"
)

const (
	// maxAttempts bounds the failures of one request. With the waits below,
	// four attempts take at least 1.75 s; the next poll tries again.
	maxAttempts = 4
	// maxThrottled bounds the answers to one request that are throttled or ask
	// for a pause, apart from its failures: the time they take is the server's,
	// not the budget's.
	maxThrottled = 4
	// firstWait is the middle of the first wait; each later one doubles, all
	// are spread by half to either side.
	firstWait = 500 * time.Millisecond
	// maxPause limits how long an answer can hold back further requests. The
	// documented waits are seconds; a nonsense value must not silence an
	// account for hours.
	maxPause = 5 * time.Minute
)

// retry decides what becomes of a failed request.
type retry struct {
	maxAttempts         int
	attempts, throttled int
	waits               *backoff.ExponentialBackOff
	// Nonce and token errors are retried once; if they recur, another attempt will not help.
	nonceTried, tokenTried bool
}

// step is what follows an attempt.
type step struct {
	// again reports whether to make another attempt.
	again bool
	// wait is the time between the attempts that counts in the budget.
	wait time.Duration
	// pause is the server's time.
	pause Pause
}

func newRetry(oneAttempt bool) *retry {
	r := &retry{maxAttempts: maxAttempts, waits: backoff.NewExponentialBackOff()}
	if oneAttempt {
		r.maxAttempts = 1
	}
	r.waits.InitialInterval, r.waits.Multiplier, r.waits.RandomizationFactor = firstWait, 2, 0.5
	return r
}

// mayFollow reports whether another attempt may follow the next one.
func (r *retry) mayFollow() bool { return r.attempts+1 < r.maxAttempts }

// next decides what follows a failure for which the server asked for a pause.
// If the API rejects the session token, reject asks for new credentials and
// reports whether there can be any.
func (r *retry) next(err *Error, pause Pause, reject func() bool) step {
	if err.Reason == ReasonThrottled || err.Reason == ReasonServer && pause.longest() > 0 {
		r.throttled++
		if wait := r.waits.NextBackOff(); wait > pause.longest() {
			pause.Action = wait
		}
		return step{again: r.throttled < maxThrottled, pause: pause}
	}
	fault := gateway.FaultOf(err.Code)
	if fault == gateway.NonceUsed && !r.nonceTried {
		r.nonceTried = true
		return step{again: true, pause: pause}
	}
	if fault == gateway.BadToken && !r.tokenTried {
		r.tokenTried = true
		return step{again: reject(), pause: pause}
	}
	r.attempts++
	s := step{pause: pause}
	switch err.Reason {
	case ReasonServer, ReasonNetwork, ReasonTimeout:
		s.again = r.attempts < r.maxAttempts && !err.permanent
	}
	if pause.longest() == 0 {
		s.wait = r.waits.NextBackOff()
	}
	return s
}

// pauseAsked returns for how long the server asks not to be called. Only
// throttled answers and HTTP 503 are read for it: some gateways put rate limit
// headers on every answer.
//
// The rate limit headers read "Limit:1,Remain:0,TimeLeft:2000,Reset:1234" with
// TimeLeft in milliseconds; the longest wait of all headers counts, as in the
// official SDKs. A date in Retry-After counts from now, the server's time if
// its answer has it.
func pauseAsked(err *Error, h http.Header, now time.Time) Pause {
	if err.Reason != ReasonThrottled && err.HTTPStatus != http.StatusServiceUnavailable {
		return Pause{}
	}
	return Pause{
		Action:  max(timeLeft(h.Get("X-Ratelimit-User-Api")), retryAfter(h.Get("Retry-After"), now)),
		Account: timeLeft(h.Get("X-Ratelimit-User")),
	}
}

// timeLeft returns the wait of a rate limit header, 0 while its quota has a
// request left.
func timeLeft(header string) (wait time.Duration) {
	for part := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), ":")
		switch n, ok := wholeNumber(value); {
		case !ok:
		case name == "Remain" && n > 0:
			return 0
		case name == "TimeLeft":
			wait = limitPause(n, time.Millisecond)
		}
	}
	return wait
}

// retryAfter reads a Retry-After header: seconds, or a date.
func retryAfter(header string, now time.Time) time.Duration {
	if n, ok := wholeNumber(header); ok {
		return limitPause(n, time.Second)
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(at.Sub(now), 0), maxPause)
	}
	return 0
}

// wholeNumber reads an integer; one that exceeds 64 bits is read as the nearest
// int64.
func wholeNumber(text string) (n int64, ok bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return n, err == nil || errors.Is(err, strconv.ErrRange)
}

// limitPause bounds n units by 0 and maxPause.
func limitPause(n int64, unit time.Duration) time.Duration {
	return time.Duration(min(max(n, 0), int64(maxPause/unit))) * unit
}
