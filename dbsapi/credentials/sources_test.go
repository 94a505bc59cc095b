package credentials_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
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

// cloud is an account with plans, and every service that issues temporary keys for it.
type cloud struct {
	*dbssim.Tokens
	sim       *dbssim.Simulator
	dbs       string // its host
	sts       string // likewise
	uri       string
	tokenFile string
}

// newClient returns a client that trusts the servers of httptest.
func newClient() *credentials.Client {
	return credentials.NewClient(credentials.Options{TLS: &tls.Config{RootCAs: testRoots(), MinVersion: tls.VersionTLS12}})
}

var testRoots = sync.OnceValue(func() *x509.CertPool {
	pool := x509.NewCertPool()
	server := httptest.NewTLSServer(nil)
	pool.AddCert(server.Certificate()) // the same for all servers of httptest
	server.Close()
	return pool
})

func quiet(s *httptest.Server) *httptest.Server {
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	return s
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
	dbs := quiet(httptest.NewServer(sim))
	sts := quiet(httptest.NewTLSServer(tokens.STS()))
	uri := quiet(httptest.NewServer(tokens.URI(keyMark)))
	for _, s := range []*httptest.Server{dbs, sts, uri} {
		t.Cleanup(func() {
			s.CloseClientConnections() // faults let some of them wait
			s.Close()
		})
	}
	return &cloud{
		Tokens: tokens, sim: sim, dbs: dbs.URL, sts: strings.TrimPrefix(sts.URL, "https://"), uri: uri.URL + "/" + pathMark + "?key=" + secretMark,
		tokenFile: writeFile(t, "token", oidcMark),
	}
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (c *cloud) key() credentials.Provider {
	return credentials.NewStatic(keyMark, secretMark, "")
}

func (c *cloud) role() *credentials.Session {
	return newClient().RAMRole(c.key(), credentials.RoleOptions{RoleARN: readerRole, ExternalID: "contract-7", STSEndpoint: c.sts})
}

func (c *cloud) pod() *credentials.Session {
	return newClient().OIDCRole(credentials.RoleOptions{RoleARN: podRole, OIDCProviderARN: provider, OIDCTokenFile: c.tokenFile, STSEndpoint: c.sts})
}

func (c *cloud) location() *credentials.Session { return newClient().URI(credentials.Given(c.uri)) }

// sources are the types of temporary keys that can be had without the metadata service's address.
func (c *cloud) sources() map[string]*credentials.Session {
	return map[string]*credentials.Session{
		"ram_role_arn":    c.role(),
		"oidc_role_arn":   c.pod(),
		"credentials_uri": c.location(),
		"ram_role_arn from oidc_role_arn": newClient().RAMRole(c.pod(), credentials.RoleOptions{
			RoleARN: otherRole, STSEndpoint: c.sts, SessionName: "audit", SessionDuration: 15 * time.Minute,
		}),
		"ram_role_arn from ram_role_arn from credentials_uri": newClient().RAMRole(
			newClient().RAMRole(c.location(), credentials.RoleOptions{RoleARN: readerRole, ExternalID: "contract-7", STSEndpoint: c.sts}),
			credentials.RoleOptions{RoleARN: otherRole, STSEndpoint: c.sts},
		),
	}
}

// list reads a plan's tasks as the exporter does.
func (c *cloud) list(t *testing.T, p credentials.Provider) error {
	t.Helper()
	client, err := dbsapi.New(dbsapi.Options{Endpoint: c.dbs, Credentials: p})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
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

// Every source gives keys that the API accepts, says when they end, and is asked once for as long as they are good.
func TestSources(t *testing.T) {
	c := newCloud(t, time.Hour)
	steps := map[string]int{"ram_role_arn from oidc_role_arn": 2, "ram_role_arn from ram_role_arn from credentials_uri": 3}
	for name, p := range c.sources() {
		t.Run(name, func(t *testing.T) {
			if at := p.ExpiresAt(); !at.IsZero() {
				t.Errorf("expires at %v before there is anything", at)
			}
			before := c.Calls()
			for range 3 {
				if err := c.list(t, p); err != nil {
					t.Fatal(err)
				}
			}
			if got, want := c.Calls()-before, max(steps[name], 1); got != want {
				t.Errorf("%d requests for keys, want %d", got, want)
			}
			if left := time.Until(p.ExpiresAt()); left < 59*time.Minute || left > time.Hour {
				t.Errorf("expires in %v", left)
			}
			requests := c.sim.Requests()
			if last := requests[len(requests)-1]; !strings.HasPrefix(last.AccessKeyID, "STS.") || !strings.HasPrefix(last.Token, dbssim.SessionToken) {
				t.Errorf("the request was signed by %s", last.AccessKeyID)
			}
		})
	}
}

// Keys are renewed before they end, so no request is lost.
func TestRenewalInTime(t *testing.T) {
	c := newCloud(t, 3*time.Second)
	for name, p := range c.sources() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, err := p.Get(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			keys := map[string]bool{first.AccessKeyID(): true}
			for len(keys) < 3 {
				if err := c.list(t, p); err != nil {
					t.Fatal(err)
				}
				cred, err := p.Get(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				keys[cred.AccessKeyID()] = true
				<-tick.C
			}
		})
	}
}

// While the source is down, good keys go on to their end; then requests fail for want of credentials, and the first
// renewal that works ends that.
func TestOutage(t *testing.T) {
	for _, name := range []string{"ram_role_arn", "oidc_role_arn", "credentials_uri"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t, 4*time.Second)
			c.outage(t, c.sources()[name])
		})
	}
}

func (c *cloud) outage(t *testing.T, p credentials.Provider) {
	if err := c.list(t, p); err != nil {
		t.Fatal(err)
	}
	end := p.ExpiresAt()
	c.SetFault(&dbssim.Fault{Status: 503, Code: "ServiceUnavailable"})
	tick := time.NewTicker(200 * time.Millisecond)
	for time.Until(end) > 300*time.Millisecond {
		if err := c.list(t, p); err != nil {
			t.Fatalf("%v before the end: %v", time.Until(end), err)
		}
		<-tick.C
	}
	for time.Until(end) > -time.Second {
		<-tick.C
	}
	tick.Stop()
	if err := c.list(t, p); reason(err) != dbsapi.ReasonCredentials {
		t.Errorf("after the end: %v", err)
	}
	c.SetFault(nil)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	again := time.NewTicker(200 * time.Millisecond)
	for c.list(t, p) != nil {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatal("does not recover")
		}
	}
	again.Stop()
	cancel()
}

// Keys that the API no longer accepts are renewed at once, and the request succeeds with the new ones.
func TestRevoked(t *testing.T) {
	c := newCloud(t, time.Hour)
	for name, p := range c.sources() {
		if err := c.list(t, p); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		c.sim.RevokeSessions()
		if err := c.list(t, p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// 64 requests at once ask the source once.
func TestOneRenewalAtATime(t *testing.T) {
	c := newCloud(t, time.Hour)
	c.SetFault(&dbssim.Fault{Delay: 200 * time.Millisecond})
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
}

// A source that hangs holds nobody longer than they want to wait.
func TestCallersDoNotWaitLongerThanTheyWant(t *testing.T) {
	c := newCloud(t, time.Hour)
	c.SetFault(&dbssim.Fault{Delay: time.Minute})
	for name, p := range c.sources() {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		begin := time.Now()
		_, err := p.Get(ctx)
		cancel()
		if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || took > 5*time.Second {
			t.Errorf("%s: %v after %v", name, err, took)
		}
	}
}

// Whatever a source answers, the error says what was tried, with whom, and what happened, and nothing of the request
// or the answer.
func TestSourceErrors(t *testing.T) {
	leaky := `{"Credentials":{"AccessKeyId":"` + keyMark + `","AccessKeySecret":"` + secretMark + `","SecurityToken":"` + dbssim.SessionToken + `x"}}`
	flat := `{"AccessKeyId":"` + keyMark + `","AccessKeySecret":"` + secretMark + `","SecurityToken":"` + dbssim.SessionToken + `x"}`
	faults := map[string]dbssim.Fault{
		"down":           {Status: 503, Code: "ServiceUnavailable"},
		"throttled":      {Status: 400, Code: "Throttling.User"},
		"no permission":  {Status: 403, Code: "NoPermission"},
		"gone":           {Status: 404, Code: "EntityNotExist.Role"},
		"page":           dbssim.HTMLPage(502),
		"good page":      dbssim.HTMLPage(200),
		"no expiration":  {Status: 200, Body: leaky},
		"flat":           {Status: 200, Body: flat},
		"bad expiration": {Status: 200, Body: strings.Replace(leaky, `"}}`, `","Expiration":"tomorrow"}}`, 1)},
		"bad date":       {Status: 200, Body: strings.Replace(flat, `"}`, `","Expiration":"tomorrow"}`, 1)},
		"not an object":  {Status: 200, Body: `["` + secretMark + `"]`},
		"echo":           {Status: 400, Body: `{"Code":"SignatureDoesNotMatch","Message":"` + secretMark + `"}`},
		"dropped":        {Drop: true},
	}
	c := newCloud(t, time.Hour)
	for what, fault := range faults {
		c.SetFault(&fault)
		for name, p := range c.sources() {
			err := c.list(t, p)
			if reason(err) != dbsapi.ReasonCredentials {
				t.Errorf("%s, %s: %v", name, what, err)
				continue
			}
			searchFor(t, name+", "+what, err.Error())
		}
	}
	c.SetFault(nil)

	wrong := map[string]struct {
		provider credentials.Provider
		want     string
	}{
		"external ID": {
			newClient().RAMRole(c.key(), credentials.RoleOptions{RoleARN: readerRole, STSEndpoint: c.sts}),
			"assume RAM role at HOST: access denied, check the role's trust policy",
		},
		"no such role": {
			newClient().RAMRole(c.key(), credentials.RoleOptions{RoleARN: "acs:ram::1:role/none", STSEndpoint: c.sts}),
			"assume RAM role at HOST: the role or the OIDC provider does not exist",
		},
		"wrong secret": {
			newClient().RAMRole(credentials.NewStatic(keyMark, "wrong", ""), credentials.RoleOptions{RoleARN: readerRole, STSEndpoint: c.sts}),
			"assume RAM role at HOST: the access key was rejected",
		},
		"wrong OIDC token": {
			newClient().OIDCRole(credentials.RoleOptions{RoleARN: podRole, OIDCProviderARN: provider, OIDCTokenFile: writeFile(t, "token", "oidc-token-mark-wrong"), STSEndpoint: c.sts}),
			"assume RAM role with OIDC at HOST: the OIDC token was rejected",
		},
		"no OIDC token": {
			newClient().OIDCRole(credentials.RoleOptions{RoleARN: podRole, OIDCProviderARN: provider, OIDCTokenFile: "/nowhere/token", STSEndpoint: c.sts}),
			"assume RAM role with OIDC: read /nowhere/token: no such file or directory",
		},
		"source without role": {
			newClient().RAMRole(newClient().OIDCRole(credentials.RoleOptions{RoleARN: readerRole, OIDCProviderARN: provider, OIDCTokenFile: c.tokenFile, STSEndpoint: c.sts}),
				credentials.RoleOptions{RoleARN: otherRole, STSEndpoint: c.sts}),
			"assume RAM role: assume RAM role with OIDC at HOST: the OIDC token was rejected",
		},
		"nobody there": {
			newClient().RAMRole(c.key(), credentials.RoleOptions{RoleARN: readerRole, STSEndpoint: "127.0.0.1:1"}),
			"assume RAM role at 127.0.0.1:1: connection refused",
		},
		"no URI": {newClient().URI(credentials.File("/nowhere/" + pathMark[:3])), "read /nowhere/uri: no such file or directory"},
	}
	for name, tt := range wrong {
		_, err := tt.provider.Get(t.Context())
		if err == nil || err.Error() != strings.Replace(tt.want, "HOST", c.sts, 1) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		searchFor(t, name, err.Error())
	}
}

func searchFor(t *testing.T, what, text string) {
	t.Helper()
	for _, mark := range []string{keyMark, secretMark, oidcMark, pathMark, dbssim.SessionSecret, dbssim.SessionToken, dbssim.FreeText, "Signature=", "goroutine"} {
		if strings.Contains(text, mark) {
			t.Errorf("%s: %q holds %s", what, text, mark)
		}
	}
}

// An OIDC token that is replaced, as Kubernetes does, is used at the next renewal.
func TestOIDCTokenIsReadAgain(t *testing.T) {
	c := newCloud(t, time.Hour)
	if err := os.WriteFile(c.tokenFile, []byte("not yet"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := c.pod()
	if _, err := p.Get(t.Context()); err == nil {
		t.Fatal("a wrong token is accepted")
	}
	if err := os.WriteFile(c.tokenFile, []byte(oidcMark), 0o600); err != nil {
		t.Fatal(err)
	}
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for c.list(t, p) != nil {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatal("the new token is not used")
		}
	}
}
