package credentials

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

const (
	// maxAnswer bounds an answer; the longest known, a session with its token, has two kilobytes. Compressed answers
	// are not asked for and not unpacked.
	maxAnswer = 64 << 10
	// maxAttempts is how often one renewal asks a source that is out of order.
	maxAttempts = 3
	// maxAttemptTime is the most that one attempt may take; STS answers within a second.
	maxAttemptTime = 10 * time.Second
	// firstPause comes before the second attempt; it doubles for the next.
	firstPause = 250 * time.Millisecond
	// connectTimeout bounds a connection attempt and a handshake, which can outlast the request that they are for.
	connectTimeout = 5 * time.Second
	// idleTimeout keeps a connection for the requests of one renewal; the next one is minutes away.
	idleTimeout = 15 * time.Second
)

// Options say how requests for credentials leave the machine.
type Options struct {
	// TLS holds the certificate authorities to trust, and client certificates; nil trusts those of the system.
	TLS *tls.Config
	// Proxy returns the proxy for a request, nil for none. It is not asked about loopback, link-local and metadata
	// addresses: a proxy would reach its own, and the metadata service would give it its own role.
	Proxy func(*http.Request) (*url.URL, error)
	// Dial opens connections; a [net.Dialer] does where it is nil.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// UserAgent is sent with every request.
	UserAgent string
}

// Client sends every request for credentials. It is safe for concurrent use. It follows no redirect, which would take
// an OIDC token along, or bring keys from somewhere else.
type Client struct {
	transport *http.Transport
	userAgent string
}

// NewClient returns a client.
func NewClient(o Options) *Client {
	transport := &http.Transport{
		DialContext:            o.Dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    connectTimeout,
		MaxResponseHeaderBytes: maxAnswer,
		DisableCompression:     true,
		IdleConnTimeout:        idleTimeout,
	}
	if o.TLS != nil {
		transport.TLSClientConfig = o.TLS.Clone()
	}
	if o.Dial == nil {
		transport.DialContext = (&net.Dialer{Timeout: connectTimeout}).DialContext
	}
	if o.Proxy != nil {
		transport.Proxy = func(r *http.Request) (*url.URL, error) {
			if isLocal(r.URL.Hostname()) {
				return nil, nil
			}
			return o.Proxy(r)
		}
	}
	return &Client{transport: transport, userAgent: o.UserAgent}
}

// CloseIdleConnections closes the connections that no request uses.
func (c *Client) CloseIdleConnections() { c.transport.CloseIdleConnections() }

// isLocal reports whether a host is this machine, its link, or the metadata service of its cloud.
func isLocal(host string) bool {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return host == "localhost" || strings.HasSuffix(host, ".localhost")
	}
	addr = addr.Unmap()
	return addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsUnspecified() || addr.String() == metadataHost
}

// request is one request for credentials. A form makes it a POST.
type request struct {
	method, url string
	header      http.Header
	form        url.Values
}

// send returns the status and the body of the answer, which may be that of an error.
func (c *Client) send(ctx context.Context, r request) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, strings.NewReader(r.form.Encode()))
	if err != nil {
		return 0, nil, &Error{Class: "the address is malformed"}
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if r.form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", c.userAgent)
	if user := req.URL.User; user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return 0, nil, cause(err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return 0, nil, cause(err)
	case len(body) > maxAnswer:
		return 0, nil, &Error{Class: classTooLarge, HTTPStatus: resp.StatusCode, kind: broken}
	}
	return resp.StatusCode, body, nil
}

// attempts asks until there is an answer that counts, up to n times. Each attempt has its share of the time that the
// context leaves, so that one that hangs leaves time for another.
func attempts(ctx context.Context, n int, ask func(context.Context) (Credentials, error)) (Credentials, error) {
	pause := firstPause
	for left := n; ; left-- {
		cred, err := attempt(ctx, left, ask)
		if err == nil || left == 1 || kindOf(err) != passing || ctx.Err() != nil {
			return cred, err
		}
		select {
		case <-time.After(pause):
			pause *= 2
		case <-ctx.Done():
			return Credentials{}, err
		}
	}
}

func attempt(ctx context.Context, left int, ask func(context.Context) (Credentials, error)) (Credentials, error) {
	share := maxAttemptTime
	if deadline, ok := ctx.Deadline(); ok {
		share = min(share, time.Until(deadline)/time.Duration(left))
	}
	ctx, cancel := context.WithTimeout(ctx, share)
	defer cancel()
	return ask(ctx)
}
