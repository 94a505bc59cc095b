package dbsapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
)

const (
	// smallAnswer is what every answer may have: a page of 100 tasks is about
	// 80 kB, ten times that with long error texts.
	smallAnswer = 1 << 20
	// maxAnswer bounds an answer after decompression.
	maxAnswer = 8 << 20
	// maxFailure bounds an answer that reports a failure: the longest, a denied
	// permission with its diagnosis, has a few kilobytes.
	maxFailure = 64 << 10
	// maxLargeAnswers is how many answers over smallAnswer a client reads at a
	// time; the others wait. Small ones never do: a server that sends one byte
	// a second would hold up all other plans.
	maxLargeAnswers = 2
)

var errTooLarge = errors.New("the answer exceeds 8 MiB")

// read decodes an answer and decides whether it is a good one.
func (c *Client) read(ctx context.Context, resp *http.Response, r call) (answer, *Error) {
	if resp.StatusCode == http.StatusSwitchingProtocols {
		// Its body is the connection itself, which the request's context does not end.
		return answer{}, unreadable(r.action, resp.StatusCode, nil)
	}
	d := decoders.Get().(*decoder)
	defer d.release()
	limit := maxAnswer
	if !isGoodStatus(resp.StatusCode) {
		limit = maxFailure
	}
	done, err := c.readBody(ctx, resp.Body, &d.body, limit)
	defer done()
	switch {
	case errors.Is(err, errTooLarge):
		return answer{}, unreadable(r.action, resp.StatusCode, errTooLarge)
	case err != nil:
		return answer{}, transportError(r.action, err)
	}
	rows := r.newRows(d.body.Len())
	a, err := d.answer(rows)
	if err != nil {
		return answer{}, unreadable(r.action, resp.StatusCode, err)
	}
	if failure := a.failure(r.action, resp.StatusCode); failure != nil {
		return answer{}, failure
	}
	if err := rows.check(a); err != nil {
		return answer{}, a.invalid(r.action, resp.StatusCode, err)
	}
	return a, nil
}

// readBody fills a buffer with an answer of at most limit bytes. The caller
// calls done after decoding.
func (c *Client) readBody(ctx context.Context, from io.Reader, into *bytes.Buffer, limit int) (done func(), err error) {
	done = func() {}
	small := min(smallAnswer, limit)
	n, err := into.ReadFrom(io.LimitReader(from, int64(small+1)))
	switch {
	case err != nil, n <= int64(small):
		return done, err
	case small == limit:
		return done, errTooLarge
	}
	select {
	case c.large <- struct{}{}:
		done = func() { <-c.large }
	case <-ctx.Done():
		return done, ctx.Err()
	}
	into.Grow(limit - small + bytes.MinRead) // growing by doubling would take thrice as much
	_, err = into.ReadFrom(io.LimitReader(from, int64(limit-small)))
	if err == nil && into.Len() > limit {
		err = errTooLarge
	}
	return done, err
}
