// Package dbsapi is a client for the parts of Alibaba Cloud's Database Backup
// Service API, version 2019-03-06, that tell how downloads of backup sets fare.
// It signs, retries, pages and decodes. It does not log, and leaves to its
// caller when a request may be sent.
package dbsapi

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

// apiVersion is the version of the DBS API that lists download tasks of backup plans.
const apiVersion = "2019-03-06"

// IdleConnTimeout is for how long an [http.Transport] should keep idle
// connections: the gateway closes them after 25 s (its Keep-Alive header,
// measured), and a POST on a closed one fails.
const IdleConnTimeout = 20 * time.Second

// Options configure a [Client]. Endpoint and Credentials are required.
type Options struct {
	// Endpoint is what [ParseEndpoint] accepts, such as a host from [Endpoint].
	Endpoint string
	// Credentials sign the requests.
	Credentials credentials.Provider
	// HTTPClient sends the requests; http.DefaultTransport if nil. Only its
	// transport is used: it should close idle connections after
	// [IdleConnTimeout] and bound the header of an answer
	// (MaxResponseHeaderBytes), as the client bounds the body.
	HTTPClient *http.Client
	// Observe is called after every attempt, from the goroutine that made it
	// and before the attempt's turn ends. It may be nil.
	Observe func(Attempt)
	// UserAgent is sent with every request.
	UserAgent string
}

// Client calls the DBS API on behalf of one account. It is safe for concurrent use.
type Client struct {
	endpoint    *url.URL
	credentials credentials.Provider
	// transport follows no redirects: a signature covers the host, and the
	// headers with tokens must not go to another one.
	transport http.RoundTripper
	observe   func(Attempt)
	userAgent string
	// large holds a token for every large answer in memory.
	large chan struct{}
}

// New returns a client, or an error if the endpoint is invalid.
func New(o Options) (*Client, error) {
	endpoint, err := ParseEndpoint(o.Endpoint)
	if err != nil {
		return nil, errors.New("endpoint: " + err.Error())
	}
	c := &Client{
		endpoint:    endpoint,
		transport:   http.DefaultTransport,
		credentials: o.Credentials,
		observe:     o.Observe,
		userAgent:   o.UserAgent,
		large:       make(chan struct{}, maxLargeAnswers),
	}
	if o.HTTPClient != nil && o.HTTPClient.Transport != nil {
		c.transport = o.HTTPClient.Transport
	}
	if c.observe == nil {
		c.observe = func(Attempt) {}
	}
	return c, nil
}

// String returns the endpoint's host.
func (c *Client) String() string { return "DBS client of " + c.endpoint.Host }

// GoString returns the endpoint's host, and hides the credentials from %#v.
func (c *Client) GoString() string { return c.String() }
