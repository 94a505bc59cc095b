package dbsapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
)

const (
	// smallAnswer is what every answer may have: a page of 100 tasks is about
	// 80 kB, ten times that with long error texts.
	smallAnswer = 1 << 20
	// maxAnswer bounds an answer after decompression.
	maxAnswer = 8 << 20
	// maxLargeAnswers is how many answers over smallAnswer a client reads at a
	// time; the others wait. Small ones never do: a server that sends one byte
	// a second would hold up all other plans.
	maxLargeAnswers = 2
)

var errTooLarge = errors.New("the answer exceeds 8 MiB")

// buffers are pooled so that polling hundreds of plans does not allocate one per page.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// read decodes an answer and decides whether it is a good one.
func (c *Client) read(ctx context.Context, resp *http.Response, r call) (answer, *Error) {
	body := buffers.Get().(*bytes.Buffer)
	defer func() {
		if body.Cap() <= 2*smallAnswer {
			body.Reset()
			buffers.Put(body)
		}
	}()
	done, err := c.readBody(ctx, resp.Body, body)
	defer done()
	switch {
	case errors.Is(err, errTooLarge):
		return answer{}, unreadable(r.action, resp.StatusCode, errTooLarge)
	case err != nil:
		return answer{}, transportError(r.action, err)
	}
	rows := r.newRows()
	a, err := decodeAnswer(body, rows)
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

// readBody fills a buffer with an answer. The caller calls done after decoding.
func (c *Client) readBody(ctx context.Context, from io.Reader, into *bytes.Buffer) (done func(), err error) {
	done = func() {}
	n, err := into.ReadFrom(io.LimitReader(from, smallAnswer+1))
	if err != nil || n <= smallAnswer {
		return done, err
	}
	select {
	case c.large <- struct{}{}:
		done = func() { <-c.large }
	case <-ctx.Done():
		return done, ctx.Err()
	}
	n, err = into.ReadFrom(io.LimitReader(from, maxAnswer-n+1))
	if err == nil && into.Len() > maxAnswer {
		err = errTooLarge
	}
	return done, err
}
