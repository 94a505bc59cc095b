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
	"sync/atomic"
	"time"

	"golang.org/x/net/idna"
)

const (
	// maxAnswer bounds an answer. The longest known, a session with its
	// token, has two kilobytes. The client does not ask for compressed
	// answers and does not unpack them.
	maxAnswer = 64 << 10
	// maxAttempts bounds how often one renewal asks a source that fails.
	maxAttempts = 3
	// maxAttemptTime bounds one attempt. It is chosen so that three attempts
	// that hang fit into the longest renewal.
	maxAttemptTime = 10 * time.Second
	// firstPause comes before the second attempt; it doubles for the next.
	firstPause = 250 * time.Millisecond
	// connectTimeout bounds a connection attempt and a handshake, because
	// net/http goes on with them after their request has ended.
	connectTimeout = 5 * time.Second
	// idleTimeout keeps a connection for the requests of one renewal. The
	// next renewal is minutes away.
	idleTimeout = 15 * time.Second
)

// Options say how requests for credentials leave the machine.
type Options struct {
	// TLS holds the certificate authorities to trust, and client
	// certificates; nil trusts those of the system.
	TLS *tls.Config
	// Proxy returns the proxy for a request, nil for none. [ProxyExceptLocal]
	// applies.
	Proxy func(*http.Request) (*url.URL, error)
	// Dial opens connections; a [net.Dialer] does where it is nil.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// NewTransport returns a transport for a [Client], which bounds the time and the
// memory that a server can take.
func NewTransport(o Options) *http.Transport {
	transport := &http.Transport{
		DialContext:            o.Dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    connectTimeout,
		Proxy:                  ProxyExceptLocal(o.Proxy),
		MaxResponseHeaderBytes: maxAnswer,
		IdleConnTimeout:        idleTimeout,
	}
	if o.TLS != nil {
		transport.TLSClientConfig = o.TLS.Clone()
	}
	if o.Dial == nil {
		transport.DialContext = (&net.Dialer{Timeout: connectTimeout}).DialContext
	}
	return transport
}

// Client sends every request for credentials. It is safe for concurrent use. It
// follows no redirects: they would take an OIDC token to another host, or bring
// keys from one.
type Client struct {
	userAgent string
	transport atomic.Pointer[http.RoundTripper]
	// chosen is the source that the default chain stays with, nil before one
	// has worked.
	chosen atomic.Pointer[chainSource]
}

// NewClient returns a client whose requests name the user agent and go through
// transport: one of [NewTransport], or one that replaces those when certificates
// change.
func NewClient(userAgent string, transport http.RoundTripper) *Client {
	c := &Client{userAgent: userAgent}
	c.transport.Store(&transport)
	return c
}

// SetTransport makes later requests go through another transport. Sessions keep
// their credentials, and the default chain its source.
func (c *Client) SetTransport(transport http.RoundTripper) {
	closeIdleConnections(*c.transport.Swap(&transport))
}

// CloseIdleConnections closes the connections that no request uses.
func (c *Client) CloseIdleConnections() { closeIdleConnections(*c.transport.Load()) }

func closeIdleConnections(transport http.RoundTripper) {
	(&http.Client{Transport: transport}).CloseIdleConnections()
}

// ProxyExceptLocal returns a function that asks proxy about all hosts but
// loopback, link-local and metadata addresses: behind a proxy, they are the
// proxy's, and so would be the role, and it would see tokens in plain text.
// Nil, for no proxy, stays nil.
func ProxyExceptLocal(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	if proxy == nil {
		return nil
	}
	return func(r *http.Request) (*url.URL, error) {
		if mayBeLocal(r.URL.Hostname()) {
			return nil, nil
		}
		return proxy(r)
	}
}

// isLocal reports whether a host is this machine, its link, or the metadata
// service of its cloud.
func isLocal(host string) bool {
	host = dialed(host)
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return lastLabel(host) == "localhost"
	}
	addr = addr.Unmap()
	return addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsUnspecified() || addr.String() == metadataHost
}

// mayBeLocal reports whether a host is local, or a name whose last label is a
// number, such as 127.1 or 0x7f.1: no domain name ends so, and resolvers take it
// for an address, which may be a local one.
func mayBeLocal(host string) bool {
	host = dialed(host)
	if _, err := netip.ParseAddr(host); err != nil && isNumber(lastLabel(host)) {
		return true
	}
	return isLocal(host)
}

// dialed returns a host as net/http dials it, with wide characters mapped to
// ASCII. It is in lower case and without the dot at the end of a full domain name.
func dialed(host string) string {
	if mapped, err := idna.Lookup.ToASCII(host); err == nil {
		host = mapped
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// lastLabel returns the end of a domain name.
func lastLabel(host string) string { return host[strings.LastIndexByte(host, '.')+1:] }

// isNumber reports whether a label is a number, decimal or hexadecimal.
func isNumber(label string) bool {
	if digits, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

// newRequest returns a request for credentials. The error of net/http repeats the
// address, which may hold a secret.
func newRequest(ctx context.Context, method, address string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, body) //nolint:gosec // the operator configures the address
	if err != nil {
		return nil, &Error{Cause: "the address is malformed"}
	}
	return req, nil
}

// send returns the status and the body of the answer, whatever the status is.
func (c *Client) send(req *http.Request) (status int, body []byte, err error) {
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", c.userAgent)
	if user := req.URL.User; user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	resp, err := (*c.transport.Load()).RoundTrip(req)
	if err != nil {
		return 0, nil, networkError(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols { // the context does not end its body
		return 0, nil, &Error{Cause: causeUnreadable, HTTPStatus: resp.StatusCode, kind: broken}
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return 0, nil, answered(networkError(err))
	case len(body) > maxAnswer:
		return 0, nil, &Error{Cause: causeTooLarge, HTTPStatus: resp.StatusCode, kind: broken}
	}
	return resp.StatusCode, body, nil
}

// attempts asks up to n times, until an attempt succeeds or fails in a way that
// trying again does not change. Each attempt has its share of the time that is
// left, so that an attempt that hangs leaves time for the next.
func attempts(ctx context.Context, n int, ask func(context.Context) (Credentials, error)) (Credentials, error) {
	pause := firstPause
	for left := n; ; left-- {
		cred, err := attempt(ctx, left, ask)
		if err == nil || left == 1 || !kindOf(err).passes() || ctx.Err() != nil {
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
