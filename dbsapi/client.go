// Package dbsapi is a client for the parts of Alibaba Cloud's Database Backup Service API, version 2019-03-06, that
// tell how downloads of backup sets fare. It signs, paces, retries, pages and decodes; it neither logs nor knows
// what becomes of the results.
package dbsapi

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

// apiVersion is the version of the DBS API that lists download tasks of backup plans.
const apiVersion = "2019-03-06"

const (
	// IdleConnTimeout is for how long an [http.Transport] should keep idle connections: the gateway closes them after
	// 25 s (its Keep-Alive header, measured), and a POST on a closed one fails.
	IdleConnTimeout = 20 * time.Second
	// attemptTimeout bounds one attempt, so that a connection that hangs leaves time for another within the
	// usual budget of 30 s.
	attemptTimeout = 12 * time.Second
	// maxBody bounds an answer. A page of 100 tasks has 80 kB; a hundredfold is no longer an answer.
	maxBody = 8 << 20
	// maxKeptBuffer bounds the buffers that are kept for the next answer.
	maxKeptBuffer = 1 << 20
)

// Attempt is one try of a call, for metrics.
type Attempt struct {
	// Action is the API operation.
	Action string
	// Err is nil for a good answer.
	Err *Error
	// Duration is the time from sending the request to the end of the answer; 0 where nothing was sent.
	Duration time.Duration
	// ServerTime is the Date header of the answer, with a precision of seconds, and LocalTime the local time at which it
	// arrived. Both are zero where there was no answer with a date.
	ServerTime, LocalTime time.Time
}

// Options configure a [Client]. Endpoint and Credentials are required.
type Options struct {
	// Endpoint is what [ParseEndpoint] accepts, such as a host from [Endpoint].
	Endpoint string
	// Credentials sign the requests.
	Credentials credentials.Provider
	// HTTPClient sends the requests, without following redirects; http.DefaultClient where nil.
	// Its transport should close idle connections after [IdleConnTimeout].
	HTTPClient *http.Client
	// Limiter paces the requests; clients of one account and endpoint should share it. Without one there is no pace.
	Limiter *Limiter
	// Observe is called after every attempt, from the goroutine that made it. It may be nil.
	Observe func(Attempt)
	// UserAgent is sent with every request.
	UserAgent string
}

// Client calls the DBS API on behalf of one account. It is safe for concurrent use.
type Client struct {
	endpoint    *url.URL
	credentials credentials.Provider
	http        http.Client
	limiter     *Limiter
	observe     func(Attempt)
	userAgent   string
}

// New returns a client, or an error if the endpoint is no endpoint.
func New(o Options) (*Client, error) {
	endpoint, err := ParseEndpoint(o.Endpoint)
	if err != nil {
		return nil, errors.New("endpoint: " + err.Error())
	}
	c := &Client{
		endpoint:    endpoint,
		credentials: o.Credentials,
		limiter:     o.Limiter,
		observe:     o.Observe,
		userAgent:   o.UserAgent,
	}
	if o.HTTPClient != nil {
		c.http = *o.HTTPClient
	}
	// A signature covers the host, and net/http would carry the token headers along to another one.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if c.observe == nil {
		c.observe = func(Attempt) {}
	}
	return c, nil
}

// call asks until there is a good answer, an error that will not heal, or no time for another attempt.
// It makes new rows for every attempt, so that none mixes with what a broken answer left behind.
func (c *Client) call(ctx context.Context, action, query string, newRows func() rows) (answer, error) {
	retry := newRetry()
	for {
		attempt := Attempt{Action: action}
		a, cred, err := c.try(ctx, &attempt, query, newRows())
		if errors.Is(ctx.Err(), context.Canceled) {
			return answer{}, ctx.Err() // the caller left; that is not the API's failure
		}
		attempt.Err = err
		c.observe(attempt)
		if err == nil {
			return a, nil
		}
		wait, again := retry.next(err, func() bool { return c.credentials.Reject(cred) })
		if err.reason == ReasonThrottled && c.limiter != nil {
			c.limiter.pause(max(wait, err.RetryAfter))
		}
		if deadline, ok := ctx.Deadline(); !again || ok && time.Until(deadline) <= wait {
			return answer{}, err
		}
		if sleep(ctx, wait) != nil {
			return answer{}, ctx.Err()
		}
	}
}

// try sends one request: paced, signed anew, bounded in time and size. It notes in attempt what it measures.
func (c *Client) try(ctx context.Context, attempt *Attempt, query string, r rows) (answer, credentials.Credentials, *Error) {
	if c.limiter != nil {
		if err := c.limiter.wait(ctx); err != nil {
			return answer{}, credentials.Credentials{}, limiterError(attempt.Action, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	cred, err := c.credentials.Get(ctx)
	if err != nil {
		return answer{}, cred, &Error{Action: attempt.Action, reason: ReasonCredentials, cause: err.Error()}
	}
	req := c.request(ctx, attempt.Action, query)
	sign(req, cred, time.Now(), rand.Text())

	sent := time.Now()
	defer func() { attempt.Duration = time.Since(sent) }()
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, cred, transportError(attempt.Action, err)
	}
	defer resp.Body.Close()
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		attempt.ServerTime, attempt.LocalTime = date, time.Now()
	}
	a, failure := c.read(resp, attempt.Action, r)
	if failure != nil {
		failure.hide(cred.AccessKeyID, cred.AccessKeySecret, cred.SecurityToken)
	}
	return a, cred, failure
}

func (c *Client) request(ctx context.Context, action, query string) *http.Request {
	endpoint := *c.endpoint
	endpoint.RawQuery = query
	req := (&http.Request{
		Method: http.MethodPost,
		URL:    &endpoint,
		Host:   endpoint.Host,
		Header: http.Header{
			"Accept":        {"application/json"},
			"User-Agent":    {c.userAgent},
			"X-Acs-Action":  {action},
			"X-Acs-Version": {apiVersion},
		},
		Body: http.NoBody,
	})
	return req.WithContext(ctx)
}

// buffers holds answers while they are decoded; a page a minute for hundreds of plans would else be garbage.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// read decodes an answer and tells whether it is a good one.
func (c *Client) read(resp *http.Response, action string, r rows) (answer, *Error) {
	body := buffers.Get().(*bytes.Buffer)
	defer func() {
		if body.Cap() <= maxKeptBuffer {
			body.Reset()
			buffers.Put(body)
		}
	}()
	if n, err := body.ReadFrom(io.LimitReader(resp.Body, maxBody+1)); err != nil {
		return answer{}, transportError(action, err)
	} else if n > maxBody {
		return answer{}, &Error{Action: action, HTTPStatus: resp.StatusCode, reason: ReasonDecode, cause: "the answer exceeds 8 MiB"}
	}
	a, err := decodeAnswer(body, r)
	failure := a.failure(action, resp.StatusCode)
	if err != nil {
		failure = statusOnly(action, resp.StatusCode)
	}
	if failure != nil {
		failure.RetryAfter = retryAfter(resp.Header)
		return answer{}, failure
	}
	if err := r.check(a); err != nil {
		return answer{}, &Error{Action: action, HTTPStatus: resp.StatusCode, RequestID: plainWord(a.requestID), reason: ReasonDecode, cause: err.Error()}
	}
	return a, nil
}

// limiterError describes an attempt that was not made, because of a pause that the server asked for or because the
// rate limit left no slot in time.
func limiterError(action string, err error) *Error {
	e := &Error{Action: action, reason: ReasonTimeout, cause: err.Error(), lasting: true}
	if errors.Is(err, errPaused) {
		e.reason = ReasonThrottled
	}
	return e
}
