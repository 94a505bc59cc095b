package dbssim

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"
)

// Request is a request whose signature was accepted.
type Request struct {
	Action      string
	PlanID      string
	TaskID      string
	Region      string
	Page        int
	AccessKeyID string
	Token       string
	Nonce       string
	At          time.Time
}

// maxBody bounds the body of a request; that of a form with every parameter has a few hundred bytes.
const maxBody = 1 << 20

// parameters merges query and form, as the gateway does. Action and version may
// come as headers. One that comes twice is refused: the official clients cannot
// send it, and it is open which value the gateway would take. The body can be
// read again.
func parameters(r *http.Request) (url.Values, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody)); err != nil {
			return nil, fmt.Errorf("read the body: %w", err)
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	params, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("read the query: %w", err)
	}
	form := url.Values{}
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && mediaType == "application/x-www-form-urlencoded" {
		if form, err = url.ParseQuery(string(body)); err != nil {
			return nil, fmt.Errorf("read the form: %w", err)
		}
	}
	for name, values := range form {
		params[name] = append(params[name], values...)
	}
	for name, values := range params {
		if len(values) > 1 {
			return nil, fmt.Errorf("parameter %q comes twice", name)
		}
	}
	return params, nil
}

// record notes a request and returns it.
func (s *Simulator) record(r *http.Request, params url.Values, id identity) Request {
	call := Request{
		Action:      cmp.Or(r.Header.Get("X-Acs-Action"), params.Get("Action")),
		PlanID:      params.Get("BackupPlanId"),
		TaskID:      params.Get("BackupSetDownloadTaskId"),
		Region:      params.Get("Region"),
		Page:        number(params.Get("PageNum"), 0),
		AccessKeyID: id.keyID,
		Token:       id.token,
		Nonce:       id.nonce,
		At:          s.now(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) >= maxRequests {
		s.requests = append([]Request(nil), s.requests[maxRequests/2:]...)
	}
	s.requests = append(s.requests, call)
	return call
}

// requestID returns a random UUID, as the gateway gives one to every request.
func requestID() string {
	var b [16]byte
	rand.Read(b[:])
	return fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
