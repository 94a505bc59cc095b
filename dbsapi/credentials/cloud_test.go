package credentials_test

import (
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
	return credentials.NewClient("test", credentials.NewTransport(credentials.Options{TLS: &tls.Config{RootCAs: testRoots(), MinVersion: tls.VersionTLS12}}))
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
		return failure.Reason
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
