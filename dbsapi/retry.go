package dbsapi

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// maxAttempts bounds one call. With the waits below, four attempts take at least 3.5 s of the usual 30 s budget;
	// what has not healed by then is left to the next round.
	maxAttempts = 4
	// firstWait is the middle of the first wait; each later one doubles, all are spread by half to either side.
	firstWait = 500 * time.Millisecond
)

// retry decides what becomes of a failed call.
type retry struct {
	attempts int
	waits    *backoff.ExponentialBackOff
	// nonce and token errors are retried once: a second one is not bad luck.
	nonceTried, tokenTried bool
}

func newRetry() *retry {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.Multiplier, waits.RandomizationFactor = firstWait, 2, 0.5
	return &retry{waits: waits}
}

// next tells whether another attempt may succeed, and how long to wait before it. Where the API rejects the session
// token, reject asks for new credentials and tells whether there can be any.
func (r *retry) next(err *Error, reject func() bool) (wait time.Duration, again bool) {
	r.attempts++
	if r.attempts >= maxAttempts || err.lasting {
		return 0, false
	}
	switch {
	case err.Code == "SignatureNonceUsed" && !r.nonceTried:
		r.nonceTried = true
		return 0, true
	case isTokenCode(err.Code) && !r.tokenTried:
		r.tokenTried = true
		return 0, reject()
	case err.reason == ReasonThrottled, err.reason == ReasonServer, err.reason == ReasonNetwork, err.reason == ReasonTimeout:
		return max(r.waits.NextBackOff(), err.RetryAfter), true
	}
	return 0, false
}

// retryAfter returns the wait that a server asks for: the longest TimeLeft, in milliseconds, of the rate limit headers
// ("Limit:1,Remain:0,TimeLeft:2000,Reset:1234", read from the official SDKs), or Retry-After in seconds.
func retryAfter(h http.Header) time.Duration {
	var wait time.Duration
	for _, name := range []string{"X-Ratelimit-User-Api", "X-Ratelimit-User"} {
		for part := range strings.SplitSeq(h.Get(name), ",") {
			if left, ok := strings.CutPrefix(strings.TrimSpace(part), "TimeLeft:"); ok {
				wait = max(wait, parseWait(left, time.Millisecond))
			}
		}
	}
	return max(wait, parseWait(h.Get("Retry-After"), time.Second))
}

func parseWait(s string, unit time.Duration) time.Duration {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(n)*unit, maxPause)
}
