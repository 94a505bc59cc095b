package credentials_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/credentials"
	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// Marks that must not show up in an error.
const (
	keyMark    = "LTAI-key-mark"
	secretMark = "lasting-secret-mark"
	oidcMark   = "oidc-token-mark"
	pathMark   = "uri-path-mark"
)

const (
	readerRole = "acs:ram::1:role/dbs-reader"
	podRole    = "acs:ram::1:role/pod"
	otherRole  = "acs:ram::2:role/other-account"
	provider   = "acs:ram::1:oidc-provider/ack"
)

// cloud is an account with a plan, and every service that issues temporary keys
// for it, in a network in memory.
type cloud struct {
	*dbssim.Tokens
	net       *network
	client    *credentials.Client
	sim       *dbssim.Simulator
	tokenFile string
}

func newCloud(t *testing.T, lifetime time.Duration) *cloud {
	t.Helper()
	plan := dbssim.Plan{ID: "dbsa"}
	sim := dbssim.New(nil,
		dbssim.Account{AccessKeyID: keyMark, AccessKeySecret: secretMark, Plans: []dbssim.Plan{plan}},
		dbssim.Account{AccessKeyID: "other-key", AccessKeySecret: "other-secret", Plans: []dbssim.Plan{plan}},
	)
	tokens := dbssim.NewTokens(sim, lifetime,
		dbssim.Role{ARN: readerRole, Account: keyMark, ExternalID: "contract-7"},
		dbssim.Role{ARN: podRole, Account: keyMark, OIDCProviderARN: provider, OIDCToken: oidcMark},
		dbssim.Role{ARN: otherRole, Account: "other-key", Callers: []string{keyMark}},
	)
	n := &network{}
	n.hosts = map[string]func(net.Conn){
		"127.0.0.1:80":       n.plain(handled(sim)),
		stsHost + ":443":     n.secure(handled(tokens.STS())),
		uriHost + ":80":      n.plain(handled(tokens.URI(keyMark))),
		metadataHost + ":80": n.plain(handled(tokens.Metadata("reader", keyMark))),
	}
	return &cloud{Tokens: tokens, net: n, client: n.client(nil), sim: sim, tokenFile: writeFile(t, "token", oidcMark)}
}

// handled is the answer of a handler, which may abort.
func handled(h http.Handler) answer {
	return func(w io.Writer, r *http.Request) (more bool) {
		defer func() {
			if recover() != nil {
				more = false
			}
		}()
		again := r.Clone(context.Background())
		again.Body, again.PostForm = io.NopCloser(strings.NewReader(r.PostForm.Encode())), nil
		recorded := httptest.NewRecorder()
		h.ServeHTTP(recorded, again)
		result := recorded.Result()
		result.ContentLength = int64(recorded.Body.Len())
		return result.Write(w) == nil
	}
}

// newClient returns a client that trusts the servers of the tests.
func newClient() *credentials.Client {
	return credentials.NewClient(credentials.Options{TLS: &tls.Config{RootCAs: testRoots(), MinVersion: tls.VersionTLS12}})
}

var testRoots = sync.OnceValue(func() *x509.CertPool {
	pool := x509.NewCertPool()
	server := httptest.NewTLSServer(nil)
	pool.AddCert(server.Certificate()) // the same for all servers of httptest
	server.Close()
	pool.AddCert(testCertificate().Leaf)
	return pool
})

func quiet(s *httptest.Server) *httptest.Server {
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	return s
}

func writeFile(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (c *cloud) key() credentials.Provider { return credentials.NewStatic(keyMark, secretMark, "") }

func (c *cloud) role() *credentials.Session {
	return c.client.RAMRole(c.key(), credentials.RoleOptions{RoleARN: readerRole, ExternalID: "contract-7", STSEndpoint: stsHost})
}

func (c *cloud) pod() *credentials.Session {
	return c.client.OIDCRole(credentials.RoleOptions{RoleARN: podRole, OIDCProviderARN: provider, OIDCTokenFile: c.tokenFile, STSEndpoint: stsHost})
}

func (c *cloud) location() *credentials.Session {
	return c.client.URI(credentials.Given("http://" + uriHost + "/" + pathMark + "?key=" + secretMark))
}

// sources are the types of temporary keys, alone and on top of each other.
func (c *cloud) sources() map[string]*credentials.Session {
	return map[string]*credentials.Session{
		"ram_role_arn":    c.role(),
		"oidc_role_arn":   c.pod(),
		"credentials_uri": c.location(),
		"ecs_ram_role":    c.client.ECSRole("", true),
		"ram_role_arn from oidc_role_arn": c.client.RAMRole(c.pod(), credentials.RoleOptions{
			RoleARN: otherRole, STSEndpoint: stsHost, SessionName: "audit", SessionDuration: 15 * time.Minute,
		}),
		"ram_role_arn from ram_role_arn from credentials_uri": c.client.RAMRole(
			c.client.RAMRole(c.location(), credentials.RoleOptions{RoleARN: readerRole, ExternalID: "contract-7", STSEndpoint: stsHost}),
			credentials.RoleOptions{RoleARN: otherRole, STSEndpoint: stsHost},
		),
	}
}

// list reads a plan's tasks as the exporter does.
func (c *cloud) list(t *testing.T, p credentials.Provider) error {
	t.Helper()
	transport := &http.Transport{DialContext: c.net.dial}
	defer transport.CloseIdleConnections()
	client, err := dbsapi.New(dbsapi.Options{
		Endpoint: "http://127.0.0.1:80", Credentials: p, HTTPClient: &http.Client{Transport: transport},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	defer cancel()
	for _, err := range client.DownloadTasks(ctx, dbsapi.TaskQuery{PlanID: "dbsa"}, dbsapi.Pace{}) {
		if err != nil {
			return err
		}
	}
	return nil
}

// reason is the class of a failure as the metrics have it.
func reason(err error) dbsapi.Reason {
	if failure, ok := errors.AsType[*dbsapi.Error](err); ok {
		return failure.Reason()
	}
	return ""
}

// inCloud runs a test for every source, each in a cloud of its own.
func inCloud(t *testing.T, lifetime time.Duration, test func(t *testing.T, c *cloud, name string, p *credentials.Session)) {
	t.Helper()
	for name := range (&cloud{client: newClient()}).sources() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCloud(t, lifetime)
				test(t, c, name, c.sources()[name])
				c.net.closed(t, c.client)
			})
		})
	}
}

// Every source gives keys that the API accepts, says when they end, and is
// asked once for as long as they are good.
func TestSources(t *testing.T) {
	asks := map[string]int{"ecs_ram_role": 3, "ram_role_arn from oidc_role_arn": 2, "ram_role_arn from ram_role_arn from credentials_uri": 3}
	inCloud(t, time.Hour, func(t *testing.T, c *cloud, name string, p *credentials.Session) {
		if at := p.ExpiresAt(); !at.IsZero() {
			t.Errorf("expires at %v before there is anything", at)
		}
		for range 3 {
			if err := c.list(t, p); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := c.Calls(), max(asks[name], 1); got != want {
			t.Errorf("%d requests for keys, want %d", got, want)
		}
		if left := time.Until(p.ExpiresAt()); left != time.Hour {
			t.Errorf("expires in %v", left)
		}
		requests := c.sim.Requests()
		if last := requests[len(requests)-1]; !strings.HasPrefix(last.AccessKeyID, "STS.") || !strings.HasPrefix(last.Token, dbssim.SessionToken) {
			t.Errorf("the request was signed by %s", last.AccessKeyID)
		}
	})
}

// Keys of any lifetime are renewed before they end, so no request is lost.
func TestRenewalInTime(t *testing.T) {
	for _, lifetime := range []time.Duration{3 * time.Second, 15 * time.Minute, 12 * time.Hour} {
		inCloud(t, lifetime, func(t *testing.T, c *cloud, _ string, p *credentials.Session) {
			keys := make(map[string]bool)
			for range 100 {
				if err := c.list(t, p); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				cred, err := p.Get(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				keys[cred.AccessKeyID()] = true
				time.Sleep(lifetime / 10)
			}
			if len(keys) < 10 || len(keys) > 20 {
				t.Errorf("%d keys for ten lifetimes", len(keys))
			}
		})
	}
}

// While the source is down, good keys go on to their end; then requests fail
// for want of credentials, and the first renewal that works ends that.
func TestOutage(t *testing.T) {
	inCloud(t, time.Hour, func(t *testing.T, c *cloud, _ string, p *credentials.Session) {
		if err := c.list(t, p); err != nil {
			t.Fatal(err)
		}
		end := p.ExpiresAt()
		c.SetFault(&dbssim.Fault{Status: 503, Code: "ServiceUnavailable"})
		for time.Until(end) > 5*time.Second {
			if err := c.list(t, p); err != nil {
				t.Fatalf("%v before the end: %v", time.Until(end), err)
			}
			time.Sleep(5 * time.Second)
		}
		time.Sleep(5 * time.Second)
		for range 10 {
			if err := c.list(t, p); reason(err) != dbsapi.ReasonCredentials {
				t.Errorf("after the end: %v", err)
			}
			time.Sleep(time.Minute)
		}
		c.SetFault(nil)
		time.Sleep(5 * time.Second)
		if err := c.list(t, p); err != nil {
			t.Errorf("after the outage: %v", err)
		}
	})
}

// Keys that the API no longer accepts are renewed at once, and the request
// succeeds with the new ones.
func TestRevoked(t *testing.T) {
	inCloud(t, time.Hour, func(t *testing.T, c *cloud, _ string, p *credentials.Session) {
		for range 3 {
			if err := c.list(t, p); err != nil {
				t.Fatal(err)
			}
			c.sim.RevokeSessions()
			if err := c.list(t, p); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Minute)
		}
	})
}

// 64 requests at once ask the source once.
func TestOneRenewalAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t, time.Hour)
		c.SetFault(&dbssim.Fault{Delay: time.Second})
		p := c.role()
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				if err := c.list(t, p); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := c.Calls(); n != 1 {
			t.Errorf("%d requests for keys", n)
		}
		c.net.closed(t, c.client)
	})
}

// The error of a source on top of another says what was tried, with whom, and
// what happened.
func TestSourceErrors(t *testing.T) {
	role := func(o credentials.RoleOptions) credentials.RoleOptions {
		o.STSEndpoint = stsHost
		return o
	}
	tests := map[string]struct {
		provider func(c *cloud) credentials.Provider
		want     string
	}{
		"external ID": {
			func(c *cloud) credentials.Provider {
				return c.client.RAMRole(c.key(), role(credentials.RoleOptions{RoleARN: readerRole}))
			},
			"assume RAM role at example.com: access denied, check the role's trust policy",
		},
		"no such role": {
			func(c *cloud) credentials.Provider {
				return c.client.RAMRole(c.key(), role(credentials.RoleOptions{RoleARN: "acs:ram::1:role/none"}))
			},
			"assume RAM role at example.com: the role or the OIDC provider does not exist",
		},
		"wrong secret": {
			func(c *cloud) credentials.Provider {
				return c.client.RAMRole(credentials.NewStatic(keyMark, "wrong", ""), role(credentials.RoleOptions{RoleARN: readerRole}))
			},
			"assume RAM role at example.com: the access key was rejected",
		},
		"wrong OIDC token": {
			func(c *cloud) credentials.Provider {
				return c.client.OIDCRole(role(credentials.RoleOptions{RoleARN: podRole, OIDCProviderARN: provider, OIDCTokenFile: writeFile(t, "token", oidcMark+"-wrong")}))
			},
			"assume RAM role with OIDC at example.com: the OIDC token was rejected",
		},
		"no OIDC token": {
			func(c *cloud) credentials.Provider {
				return c.client.OIDCRole(role(credentials.RoleOptions{RoleARN: podRole, OIDCProviderARN: provider, OIDCTokenFile: "/nowhere/token"}))
			},
			"assume RAM role with OIDC: read /nowhere/token: no such file or directory",
		},
		"source without role": {
			func(c *cloud) credentials.Provider {
				source := c.client.OIDCRole(role(credentials.RoleOptions{RoleARN: readerRole, OIDCProviderARN: provider, OIDCTokenFile: c.tokenFile}))
				return c.client.RAMRole(source, role(credentials.RoleOptions{RoleARN: otherRole}))
			},
			"assume RAM role: assume RAM role with OIDC at example.com: the OIDC token was rejected",
		},
		"nobody there": {
			func(c *cloud) credentials.Provider {
				return c.client.RAMRole(c.key(), credentials.RoleOptions{RoleARN: readerRole, STSEndpoint: "127.0.0.1:1"})
			},
			"assume RAM role at 127.0.0.1:1: connection refused",
		},
		"no URI": {
			func(c *cloud) credentials.Provider { return c.client.URI(credentials.File("/nowhere/uri")) },
			"read /nowhere/uri: no such file or directory",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCloud(t, time.Hour)
				_, err := tt.provider(c).Get(t.Context())
				if err == nil || err.Error() != tt.want {
					t.Fatalf("got %v, want %s", err, tt.want)
				}
				searchFor(t, name, err.Error())
				c.net.closed(t, c.client)
			})
		})
	}
}

func searchFor(t *testing.T, what, text string) {
	t.Helper()
	for _, mark := range []string{
		keyMark, secretMark, oidcMark, pathMark, metadataToken, dbssim.SessionSecret, dbssim.SessionToken, dbssim.FreeText,
		"session-secret", "session-token", "Signature=", "goroutine",
	} {
		if strings.Contains(text, mark) {
			t.Errorf("%s: %q holds %s", what, text, mark)
		}
	}
}

// A role whose source's session was revoked asks with a new one.
func TestRevokedSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t, time.Hour)
		source := c.pod()
		role := c.client.RAMRole(source, credentials.RoleOptions{RoleARN: otherRole, STSEndpoint: stsHost})
		if err := c.list(t, source); err != nil {
			t.Fatal(err)
		}
		c.sim.RevokeSessions()
		if err := c.list(t, role); err != nil {
			t.Error(err)
		}
		c.net.closed(t, c.client)
	})
}

// An OIDC token that is replaced, as Kubernetes does, is used at the next
// renewal.
func TestOIDCTokenIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t, time.Hour)
		if err := os.WriteFile(c.tokenFile, []byte("not-yet"), 0o600); err != nil {
			t.Fatal(err)
		}
		p := c.pod()
		if _, err := p.Get(t.Context()); err == nil {
			t.Fatal("a wrong token is accepted")
		}
		if err := os.WriteFile(c.tokenFile, append(bytes.Clone([]byte(oidcMark)), '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := c.list(t, p); err != nil {
			t.Error(err)
		}
		c.net.closed(t, c.client)
	})
}
