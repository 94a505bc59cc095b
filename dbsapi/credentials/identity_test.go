package credentials_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

// pod is a pod with RRSA, on a node whose own role the metadata service gives
// away.
type pod struct {
	*network
	client *credentials.Client
	sts    atomic.Pointer[answer]
}

const podSTS = "sts-vpc.cn-hangzhou.aliyuncs.com"

func newPod() *pod {
	p := &pod{network: &network{}}
	p.say(with("AccessKeyId", "STS.pod"))
	p.hosts = map[string]func(net.Conn){
		podSTS + ":443": p.secure(func(w io.Writer, r *http.Request) bool { return (*p.sts.Load())(w, r) }),
		metadataHost + ":80": p.plain(func(w io.Writer, r *http.Request) bool {
			switch {
			case r.Method == http.MethodPut:
				return text(200, metadataToken)(w, r)
			case strings.HasSuffix(r.URL.Path, "/"):
				return text(200, "node")(w, r)
			}
			return with("AccessKeyId", "STS.node")(w, r)
		}),
	}
	p.client = credentials.NewClient("test", p.newTransport())
	return p
}

func (p *pod) newTransport() http.RoundTripper {
	return credentials.NewTransport(credentials.Options{
		TLS: &tls.Config{RootCAs: testRoots(), ServerName: "example.com", MinVersion: tls.VersionTLS12}, Dial: p.dial,
	})
}

func (p *pod) say(a answer) { p.sts.Store(&a) }

// environment is what the webhook of RRSA sets.
func (p *pod) environment(t *testing.T) {
	t.Helper()
	chainHome(t)
	for name, value := range map[string]string{
		"ROLE_ARN": podRole, "OIDC_PROVIDER_ARN": provider, "OIDC_TOKEN_FILE": writeFile(t, "token", oidcMark+"\n"),
		"STS_REGION": "cn-hangzhou", "VPC_ENDPOINT_ENABLED": "true", "ECS_METADATA_DISABLED": "",
	} {
		t.Setenv("ALIBABA_CLOUD_"+name, value)
	}
}

// get fails the test if the session has other keys or another error.
func get(t *testing.T, s *credentials.Session, want string) {
	t.Helper()
	cred, err := s.Get(t.Context())
	if got := cred.AccessKeyID(); err == nil && got != want || err != nil && err.Error() != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	synctest.Wait()
}

const podFails = "default chain: OIDC: assume RAM role with OIDC at " + podSTS + ": the service failed (HTTP 503)"

// The chain stays with the source that first worked: an outage of STS does not
// give a pod the node's role.
func TestChainStaysWithItsSource(t *testing.T) {
	p := newPod()
	p.environment(t)
	synctest.Test(t, func(t *testing.T) {
		s := p.client.Default()
		get(t, s, "STS.pod")
		p.say(text(503, ""))
		for range 59 {
			time.Sleep(time.Minute)
			get(t, s, "STS.pod")
		}
		time.Sleep(time.Minute)
		for range 100 {
			get(t, s, podFails)
			time.Sleep(time.Minute)
		}
		p.say(with("AccessKeyId", "STS.pod-2"))
		time.Sleep(time.Minute)
		get(t, s, "STS.pod-2")
		if _, asked := p.dialed.Load(metadataHost + ":80"); asked {
			t.Error("the node's role was asked for")
		}
		p.closed(t, p.client)
	})
}

// All sessions of a client stay with one source, also when its transport changes.
func TestChainStaysOverTransports(t *testing.T) {
	p := newPod()
	p.environment(t)
	const denies = "default chain: OIDC: assume RAM role with OIDC at " + podSTS + ": " + denied
	synctest.Test(t, func(t *testing.T) {
		first := p.client.Default()
		get(t, first, "STS.pod")
		p.say(refusal(403, "NoPermission"))
		p.client.SetTransport(p.newTransport())
		get(t, first, "STS.pod")
		get(t, p.client.Default(), denies)
		other := credentials.NewClient("test", p.newTransport())
		get(t, other.Default(), "STS.node")
		other.CloseIdleConnections()
		p.closed(t, p.client)
	})
}

// Of two searches at once, the one that ends last takes the source of the other.
func TestChainsShareTheirSource(t *testing.T) {
	p := newPod()
	p.environment(t)
	node := p.hosts[metadataHost+":80"]
	p.hosts[metadataHost+":80"] = func(c net.Conn) {
		time.Sleep(time.Second)
		node(c)
	}
	synctest.Test(t, func(t *testing.T) {
		p.say(refusal(403, "NoPermission"))
		var both sync.WaitGroup
		both.Go(func() { get(t, p.client.Default(), "STS.pod") })
		time.Sleep(time.Second / 2)
		p.say(with("AccessKeyId", "STS.pod"))
		both.Go(func() { get(t, p.client.Default(), "STS.pod") })
		both.Wait()
		if _, asked := p.dialed.Load(metadataHost + ":80"); !asked {
			t.Error("the first search did not go on to the node's role")
		}
		p.closed(t, p.client)
	})
}

// While none has worked, the chain goes on to the next source where one is not
// there or refuses, and not where one does not answer: that could be the pod's
// own, which comes back a second later.
func TestChainFallsThrough(t *testing.T) {
	const noSource = "default chain: no source has credentials (environment: not there; OIDC: "
	tests := []struct {
		name  string
		sts   answer
		first string // the first outcome
		then  string // the outcome when STS is well again
	}{
		{"no token", nil, noSource + "no such file or directory)", ""},
		{"refused", refusal(403, "NoPermission"), "STS.node", "STS.node"},
		{"OIDC token refused", refusal(401, "AuthenticationFail.OIDCToken.Expired"), "STS.node", "STS.node"},
		{"fails", text(503, ""), noSource + "the service failed)", "STS.pod"},
		{"throttled", refusal(400, "Throttling"), noSource + "throttled)", "STS.pod"},
		{"throttled, in the other words", refusal(400, "Rejected.Throttling"), noSource + "throttled)", "STS.pod"},
		{"fails with 400", refusal(400, "UnknownError"), noSource + "the service failed)", "STS.pod"},
		{"times out", refusal(408, "RequestTimeout"), noSource + "the service failed)", "STS.pod"},
		{"finds no signature", refusal(400, "IncompleteSignature"), noSource + "the signature arrived incomplete)", "STS.pod"},
		{"code of a proxy", refusal(413, "EntityTooLarge"), noSource + "refused)", "STS.pod"},
		{"closes", raw(""), noSource + closed + ")", "STS.pod"},
		{"page of a proxy", text(403, "<html>"), noSource + "refused)", "STS.pod"},
		{"redirects", redirect(302, "http"), noSource + "the answer is a redirect, which is not followed)", "STS.pod"},
		{"clock", refusal(400, "InvalidTimeStamp.Expired"), noSource + clock + ")", "STS.pod"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPod()
			p.environment(t)
			if tt.sts == nil {
				t.Setenv("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "/nowhere/token")
				tt.then, tt.sts = tt.first, keys(nil)
			}
			p.say(tt.sts)
			synctest.Test(t, func(t *testing.T) {
				s := p.client.Default()
				get(t, s, tt.first)
				p.say(with("AccessKeyId", "STS.pod"))
				time.Sleep(2 * time.Hour)
				get(t, s, tt.then)
				p.closed(t, p.client)
			})
		})
	}
}

// Nobody answers at the metadata service outside of ECS; that ends no search.
func TestChainWithoutMetadata(t *testing.T) {
	chainHome(t)
	t.Setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "")
	t.Setenv("ALIBABA_CLOUD_CREDENTIALS_URI", "http://"+uriHost+"/")
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		n.hosts = map[string]func(net.Conn){uriHost + ":80": n.plain(keys(nil)), metadataHost + ":80": n.plain(hangs(""))}
		c := n.client(nil)
		begin := time.Now()
		get(t, c.Default(), "STS.key")
		if took := time.Since(begin); took != 4*time.Second {
			t.Errorf("took %v", took)
		}
		n.closed(t, c)
	})
}

// A metadata service that answers is there, so a failure of it does not bring
// keys from elsewhere; it refuses where the instance has no role.
func TestChainAtMetadata(t *testing.T) {
	const none = "default chain: no source has credentials (environment: not there; credentials file: not there; ECS metadata: "
	token := func(then answer) answer {
		return func(w io.Writer, r *http.Request) bool {
			if r.Method == http.MethodPut {
				return text(200, metadataToken)(w, r)
			}
			return then(w, r)
		}
	}
	for name, tt := range map[string]struct {
		say  answer
		want string
	}{
		"fails":               {text(503, ""), none + "the service failed)"},
		"closes":              {raw(""), none + closed + ")"},
		"throttles":           {token(text(429, "")), none + "throttled)"},
		"hangs after a token": {token(hangs("")), none + inTime + ")"},
		"hangs in the body":   {token(hangs("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx")), none + inTime + ")"},
		"hangs after the name": {func(w io.Writer, r *http.Request) bool {
			if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/") {
				return text(200, "reader")(w, r)
			}
			return hangs("")(w, r)
		}, none + inTime + ")"},
		"page of somebody":      {text(200, "<html>"), none + "the answer is no name of a role)"},
		"no role":               {token(text(404, "<html>")), "STS.key"},
		"hangs":                 {hangs(""), "STS.key"},
		"nobody takes the call": {nil, "STS.key"},
	} {
		t.Run(name, func(t *testing.T) {
			chainHome(t)
			t.Setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "")
			t.Setenv("ALIBABA_CLOUD_CREDENTIALS_URI", "http://"+uriHost+"/")
			synctest.Test(t, func(t *testing.T) {
				n := &network{}
				n.hosts = map[string]func(net.Conn){uriHost + ":80": n.plain(keys(nil))}
				if tt.say != nil {
					n.hosts[metadataHost+":80"] = n.plain(tt.say)
				}
				c := n.client(nil)
				get(t, c.Default(), tt.want)
				n.closed(t, c)
			})
		})
	}
}

// A file is where the token comes from, because it is renewed: the configured
// one, else that of the environment, else the token of the environment.
func TestTokenFile(t *testing.T) {
	p := newPod()
	p.environment(t)
	t.Setenv("ALIBABA_CLOUD_OIDC_TOKEN", "environment-token")
	synctest.Test(t, func(t *testing.T) {
		options := credentials.RoleOptions{
			RoleARN: podRole, OIDCProviderARN: provider, OIDCTokenFile: writeFile(t, "token", "configured-token\n"), STSEndpoint: podSTS,
		}
		check := func(want string, s *credentials.Session) {
			get(t, s, "STS.pod")
			seen := p.seen()
			if got := seen[len(seen)-1].PostForm.Get("OIDCToken"); got != want {
				t.Errorf("the token is %s, want %s", got, want)
			}
		}
		check("configured-token", p.client.OIDCRole(options))
		check(oidcMark, p.client.Default())
		if err := os.Unsetenv("ALIBABA_CLOUD_OIDC_TOKEN_FILE"); err != nil {
			t.Fatal(err)
		}
		check("environment-token", p.client.Default())
		p.closed(t, p.client)
	})
}
