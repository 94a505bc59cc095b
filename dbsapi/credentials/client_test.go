package credentials_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

// Requests have no cookies, no referrer and no offer to unpack; they have the
// configured name and proxy.
func TestRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		n.serveAll(func(w io.Writer, r *http.Request) bool {
			if len(n.seen())%2 == 1 {
				return text(503, "", "Set-Cookie: session=x", "Referrer-Policy: unsafe-url")(w, r)
			}
			return keys(nil)(w, r)
		})
		c := n.client(nil)
		for name, s := range sources(t, c) {
			if _, err := s.Get(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, r := range n.seen() {
			for _, unwanted := range []string{"Cookie", "Referer", "Authorization", "X-Forwarded-For"} {
				if r.Header.Get(unwanted) != "" {
					t.Errorf("%s carries %s", r.URL.Path, unwanted)
				}
			}
			if r.Header.Get("Accept-Encoding") != "identity" || r.UserAgent() != "test" {
				t.Errorf("headers are %v", r.Header)
			}
		}
		n.closed(t, c)
	})
}

// A user in the URL of a credentials URI is shown to that host alone, and not
// in errors.
func TestURIWithUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		n.serveAll(refusal(403, "x"))
		c := n.client(nil)
		_, err := c.URI(credentials.Given("http://user:" + secretMark + "@" + uriHost + "/")).Get(t.Context())
		user, password, _ := n.seen()[0].BasicAuth()
		if user != "user" || password != secretMark || err == nil || err.Error() != "read credentials URI at "+uriHost+": refused (HTTP 403)" {
			t.Errorf("got %s, %v", user, err)
		}
		for _, wrong := range []string{"ftp://" + uriHost, uriHost, "://", "http://", "http://[::1" + secretMark, "file:///" + secretMark} {
			if _, err := c.URI(credentials.Given(wrong)).Get(t.Context()); err == nil || err.Error() != "read credentials URI: it must be an http or https URL" {
				t.Errorf("%s: %v", wrong, err)
			}
		}
		for _, wrong := range []string{"evil.example/" + secretMark, "a@evil.example", "evil.example?x=", "evil.example#"} {
			_, err := c.OIDCRole(credentials.RoleOptions{RoleARN: podRole, STSEndpoint: wrong, OIDCTokenFile: writeFile(t, "token", oidcMark)}).Get(t.Context())
			if err == nil || !strings.HasSuffix(err.Error(), "the STS endpoint must be a host or host:port; check sts_endpoint or the STS region") || n.dials.Load() != 1 {
				t.Errorf("%s: %v", wrong, err)
			}
		}
		n.closed(t, c)
	})
}

// Keys come over plain http from this machine, its link and the metadata service
// only; nothing is sent to another host. A name that a resolver may take for a
// local address may be any other address too.
func TestPlainHTTP(t *testing.T) {
	const refused = "read credentials URI: plain http is accepted for local addresses only, use https"
	near := []string{
		"127.0.0.1", "127.8.8.8:8080", "[::1]:8080", "[::ffff:127.0.0.1]", "localhost", "LocalHost:1", "localhost.", "x.localhost",
		"169.254.169.254", "[fe80::1]", "100.100.100.200", "0.0.0.0",
	}
	far := []string{
		"keys.example", "10.0.0.1:8080", "192.168.1.1", "100.100.100.201", "[2001:db8::1]", "localhost.example", "127.0.0.1.example",
		"127.1", "134744072", "0x08080808", "10.1",
	}
	synctest.Test(t, func(t *testing.T) {
		for _, host := range append(near, far...) {
			n := &network{}
			c := n.client(nil)
			_, err := c.URI(credentials.Given("http://" + host + "/" + pathMark)).Get(t.Context())
			want := "read credentials URI at " + host + ": connection refused"
			if !slices.Contains(near, host) {
				want = refused
			}
			if err == nil || err.Error() != want || (n.dials.Load() > 0) != slices.Contains(near, host) {
				t.Errorf("%s: %v after %d connections", host, err, n.dials.Load())
			}
			n.closed(t, c)
		}
		n := &network{}
		n.hosts = map[string]func(net.Conn){stsHost + ":443": n.secure(keys(nil))}
		c := n.client(nil)
		if _, err := c.URI(credentials.Given("https://" + stsHost + "/")).Get(t.Context()); err != nil {
			t.Errorf("over https: %v", err)
		}
		n.closed(t, c)
	})
}

// STS and remote URIs take the configured proxy; what is near takes none.
func TestProxy(t *testing.T) {
	const proxy = "proxy.example:3128"
	near := []string{
		"127.0.0.1", "127.8.8.8:8080", "[::1]", "[::ffff:127.0.0.1]", "localhost:1", "x.localhost", "169.254.169.254", "[fe80::1]",
		"100.100.100.200", "[::ffff:100.100.100.200]", "0.0.0.0",
		"localhost", "LOCALHOST", "Localhost:80", "localhost.", "X.LocalHost.", "100.100.100.200.", "127.0.0.1.:8080",
		"127.1", "127.0x1:80", "0x7F000001", "2130706433", "0177.0.0.01", "0xa9.254.0xA9FE.",
		"１２７.0.0.1", "127。0。0。1", "１００．100.100.200:80", "ｌocalhost", "LOCALHOＳT。", "１２７.1",
	}
	far := []string{"keys.example", "100.100.100.201:80", "10.0.0.1", "[2001:db8::1]", "127.0.0.1.example", "0xkeys", "127.1a"}
	synctest.Test(t, func(t *testing.T) {
		for _, host := range append(near, far...) {
			n := &network{}
			c := n.client(func(*http.Request) (*url.URL, error) { return url.Parse("http://" + proxy) })
			_, _ = c.URI(credentials.Given("https://" + host + "/")).Get(t.Context())
			_, through := n.dialed.Load(proxy)
			if want := !slices.Contains(near, host); through != want || n.dials.Load() == 0 {
				t.Errorf("%s through the proxy: %t, want %t", host, through, want)
			}
			n.closed(t, c)
		}
		n := &network{}
		n.hosts = map[string]func(net.Conn){metadataHost + ":80": n.plain(keys(nil))}
		c := n.client(func(r *http.Request) (*url.URL, error) { return nil, fmt.Errorf("asked about %s", r.URL.Host) })
		if _, err := c.ECSRole("reader", false).Get(t.Context()); err != nil {
			t.Error(err)
		}
		_, err := c.RAMRole(credentials.NewStatic(keyMark, secretMark, ""), credentials.RoleOptions{RoleARN: readerRole, STSEndpoint: stsHost}).Get(t.Context())
		if err == nil || err.Error() != "assume RAM role at example.com: connection failed" {
			t.Errorf("got %v", err)
		}
		n.closed(t, c)
	})
}

// A renewal uses one connection for all its requests, which is closed a while
// after.
func TestConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		n.serveAll(keys(nil))
		c := n.client(nil)
		s := c.ECSRole("reader", true)
		for range 3 {
			cred, err := s.Get(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			s.Reject(cred)
		}
		if n.dials.Load() != 3 || len(n.seen()) != 6 {
			t.Errorf("%d connections for %d requests", n.dials.Load(), len(n.seen()))
		}
		if left := n.open.Load(); left != 0 {
			t.Errorf("%d connections are open", left)
		}
		n.closed(t, c)
	})
}

// A caller that leaves hears of it at once, and the request ends with its time.
func TestCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		n.serveAll(hangs(""))
		c := n.client(nil)
		for name, s := range sources(t, c) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			begin := time.Now()
			if _, err := s.Get(ctx); !errors.Is(err, context.Canceled) || time.Since(begin) != time.Second {
				t.Errorf("%s: %v after %v", name, err, time.Since(begin))
			}
		}
		time.Sleep(time.Minute)
		n.closed(t, c)
	})
}
