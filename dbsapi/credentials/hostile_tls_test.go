package credentials_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

// TLS that proves nothing is not trusted, and not tried again: somebody has to
// change something.
func TestHostileTLS(t *testing.T) {
	tests := []struct {
		name, endpoint string
		serve          func(n *network) func(net.Conn)
		cause          string
		dials          int32
	}{
		{"another host's certificate", "sts.aliyuncs.com", func(n *network) func(net.Conn) { return n.secure(keys(nil)) }, "the server's certificate is for another host", 1},
		{"no TLS", "example.com", func(*network) func(net.Conn) {
			return func(c net.Conn) {
				go func() { _, _ = io.Copy(io.Discard, c) }()
				_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n"+secretMark)
			}
		}, "the server does not speak TLS", 1},
		{"closes during the handshake", "example.com", func(*network) func(net.Conn) {
			return func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) }
		}, closed, 3},
		{"hangs during the handshake", "example.com", func(*network) func(net.Conn) {
			return func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
		}, inTime, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &network{}
				n.hosts = map[string]func(net.Conn){tt.endpoint + ":443": tt.serve(n)}
				c := n.client(nil)
				_, err := c.RAMRole(credentials.NewStatic(keyMark, secretMark, ""), credentials.RoleOptions{RoleARN: readerRole, STSEndpoint: tt.endpoint}).Get(t.Context())
				if want := "assume RAM role at " + tt.endpoint + ": " + tt.cause; err == nil || err.Error() != want || n.dials.Load() != tt.dials {
					t.Errorf("got %v with %d connections, want %s with %d", err, n.dials.Load(), want, tt.dials)
				}
				n.closed(t, c)
			})
		})
	}
	t.Run("unknown authority", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := &network{}
			n.serveAll(keys(nil))
			c := credentials.NewClient("test", credentials.NewTransport(credentials.Options{Dial: n.dial}))
			_, err := c.OIDCRole(credentials.RoleOptions{RoleARN: podRole, STSEndpoint: stsHost, OIDCTokenFile: writeFile(t, "token", oidcMark)}).Get(t.Context())
			if err == nil || err.Error() != "assume RAM role with OIDC at example.com: the server's certificate is signed by an unknown authority" || len(n.seen()) != 0 {
				t.Errorf("got %v after %d requests", err, len(n.seen()))
			}
			n.closed(t, c)
		})
	})
}

// The metadata service is believed as little as the others.
func TestHostileMetadata(t *testing.T) {
	const folder = "/latest/meta-data/ram/security-credentials/"
	tests := []struct {
		name  string
		token answer
		role  answer
		want  string // the request for keys, or the error
	}{
		{"asks for the role", text(200, metadataToken), text(200, " reader\n"), folder + "reader " + metadataToken},
		{"no token", text(404, ""), text(200, "reader"), folder + "reader "},
		{"token that hangs", hangs(""), text(200, "reader"), folder + "reader "},
		{"empty token", text(200, "\n"), text(200, "reader"), folder + "reader "},
		{"token with a line break", text(200, "x\r\nHost: evil"), text(200, "reader"), folder + "reader "},
		{"token that is endless", forever("HTTP/1.1 200 X\r\n\r\n", strings.Repeat("x", 1<<16), 0), text(200, "reader"), folder + "reader "},
		{"token by a redirect", redirect(307, "http"), text(200, "reader"), folder + "reader "},
		{"role elsewhere", text(200, metadataToken), text(200, "../../../evil?x="), "the answer is no name of a role"},
		{"role is a page", text(200, metadataToken), text(200, "<html>"+secretMark), "the answer is no name of a role"},
		{"two roles", text(200, metadataToken), text(200, "a\nb"), "the answer is no name of a role"},
		{"no role", text(200, metadataToken), text(200, ""), "the answer is no name of a role"},
		{"role that is not there", text(200, metadataToken), text(404, secretMark), "refused (HTTP 404)"},
		{"role by a redirect", text(200, metadataToken), redirect(302, "http"), redirected(302)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &network{}
				n.hosts = map[string]func(net.Conn){metadataHost + ":80": n.plain(func(w io.Writer, r *http.Request) bool {
					switch {
					case r.Method == http.MethodPut:
						return tt.token(w, r)
					case r.URL.Path == folder:
						return tt.role(w, r)
					}
					return keys(nil)(w, r)
				})}
				c := n.client(nil)
				_, err := c.ECSRole("", false).Get(t.Context())
				seen := n.seen()
				last := seen[len(seen)-1]
				got := last.URL.Path + " " + last.Header.Get("X-Aliyun-Ecs-Metadata-Token")
				if err != nil {
					got = strings.TrimPrefix(err.Error(), "read ECS role at 100.100.100.200: ")
				}
				if got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
				before := len(n.asks())
				if _, err := c.ECSRole("", true).Get(t.Context()); strings.HasSuffix(tt.want, "reader ") && (err == nil || len(n.asks()) != before) {
					t.Errorf("without a token there are %d requests for keys, %v", len(n.asks())-before, err)
				}
				n.closed(t, c)
			})
		})
	}
}

// A hung source is asked again while its caller waits, however little time that
// is.
func TestHungSourceIsAskedAgain(t *testing.T) {
	for _, budget := range []time.Duration{6 * time.Second, 15 * time.Second, 50 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			n := &network{}
			n.serveAll(hangsOnce())
			ctx, cancel := contextWithTimeout(t, budget)
			defer cancel()
			c := n.client(nil)
			if _, err := sources(t, c)["RAM role by OIDC"].Get(ctx); err != nil {
				t.Errorf("within %v: %v", budget, err)
			}
			n.closed(t, c)
		})
	}
}

// Errors are of a type that callers can look at, and hold nothing but what they
// print.
func TestErrorFields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		n.serveAll(text(500, secretMark))
		c := n.client(nil)
		_, err := sources(t, c)["URI"].Get(t.Context())
		failure, ok := errors.AsType[*credentials.Error](err)
		if !ok || failure.Operation != "read credentials URI" || failure.Host != uriHost || failure.Cause != failed || failure.HTTPStatus != 500 {
			t.Errorf("got %#v", err)
		}
		n.closed(t, c)
	})
}
