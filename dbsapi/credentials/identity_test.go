package credentials_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
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
	p.client = credentials.NewClient(credentials.Options{
		TLS: &tls.Config{RootCAs: testRoots(), ServerName: "example.com", MinVersion: tls.VersionTLS12}, Dial: p.dial,
	})
	return p
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

// While none has worked, the chain goes on to the next source where one is not
// there or refuses, and not where one does not answer: that could be the pod's
// own, which comes back a second later.
func TestChainFallsThrough(t *testing.T) {
	tests := []struct {
		name  string
		sts   answer
		first string // the first outcome
		then  string // the outcome when STS is well again
	}{
		{"refused", refusal(403, "NoPermission"), "STS.node", "STS.node"},
		{"OIDC token refused", refusal(401, "AuthenticationFail.OIDCToken.Expired"), "STS.node", "STS.node"},
		{"fails", text(503, ""), "default chain: no source has credentials (environment: not there; OIDC: the service failed)", "STS.pod"},
		{"throttled", refusal(400, "Throttling"), "default chain: no source has credentials (environment: not there; OIDC: throttled)", "STS.pod"},
		{"closes", raw(""), "default chain: no source has credentials (environment: not there; OIDC: " + closed + ")", "STS.pod"},
		{"page of a proxy", text(403, "<html>"), "default chain: no source has credentials (environment: not there; OIDC: refused)", "STS.pod"},
		{"redirects", redirect(302, "http"), "default chain: no source has credentials (environment: not there; OIDC: the answer is a redirect, which is not followed)", "STS.pod"},
		{"clock", refusal(400, "InvalidTimeStamp.Expired"), "default chain: no source has credentials (environment: not there; OIDC: " + clock + ")", "STS.pod"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPod()
			p.environment(t)
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

// A configured file is where the token comes from, whatever the environment
// says.
func TestConfiguredTokenFile(t *testing.T) {
	p := newPod()
	p.environment(t)
	t.Setenv("ALIBABA_CLOUD_OIDC_TOKEN", "environment-token")
	synctest.Test(t, func(t *testing.T) {
		options := credentials.RoleOptions{
			RoleARN: podRole, OIDCProviderARN: provider, OIDCTokenFile: writeFile(t, "token", "configured-token\n"), STSEndpoint: podSTS,
		}
		for want, s := range map[string]*credentials.Session{
			"configured-token":  p.client.OIDCRole(options),
			"environment-token": p.client.Default(),
		} {
			get(t, s, "STS.pod")
			seen := p.seen()
			if got := seen[len(seen)-1].PostForm.Get("OIDCToken"); got != want {
				t.Errorf("the token is %s, want %s", got, want)
			}
		}
		p.closed(t, p.client)
	})
}

// Profiles with roles ask for them in the same way as everybody else.
func TestProfilesWithRoles(t *testing.T) {
	key := func(more map[string]any) map[string]any {
		p := map[string]any{"name": "a", "access_key_id": keyMark, "access_key_secret": secretMark}
		maps.Copy(p, more)
		return p
	}
	ini := func(lines string) func(*testing.T, string) {
		return func(t *testing.T, home string) {
			put(t, home, ".alibabacloud/credentials", "[default]\naccess_key_id = "+keyMark+"\naccess_key_secret = "+secretMark+"\n"+lines)
		}
	}
	profile := func(all ...map[string]any) func(*testing.T, string) {
		return func(t *testing.T, home string) { put(t, home, ".aliyun/config.json", cli(all...)) }
	}
	assumed := url.Values{"Action": {"AssumeRole"}, "RoleArn": {readerRole}, "RoleSessionName": {"test"}, "DurationSeconds": {"3600"}, "AccessKeyId": {keyMark}}
	change := func(v url.Values, pairs ...string) url.Values {
		next := maps.Clone(v)
		for i := 0; i < len(pairs); i += 2 {
			next.Set(pairs[i], pairs[i+1])
		}
		return next
	}
	tests := []struct {
		name string
		set  func(*testing.T, string)
		want url.Values // of the last request
		err  string
	}{
		{"RamRoleArn", profile(key(map[string]any{
			"mode": "RamRoleArn", "ram_role_arn": readerRole, "ram_session_name": "test", "expired_seconds": 900, "policy": "{}", "external_id": "x",
			"sts_region": "cn-hangzhou", "enable_vpc": true,
		})), change(assumed, "DurationSeconds", "900", "Policy", "{}", "ExternalId", "x"), ""},
		{"ChainableRamRoleArn", profile(
			map[string]any{"name": "b", "mode": "ChainableRamRoleArn", "source_profile": "a", "ram_role_arn": readerRole, "ram_session_name": "test"},
			key(map[string]any{"mode": "AK"}),
		), assumed, ""},
		{"ChainableRamRoleArn on a role", profile(
			map[string]any{"name": "b", "mode": "ChainableRamRoleArn", "source_profile": "a", "ram_role_arn": readerRole, "ram_session_name": "test"},
			key(map[string]any{"mode": "RamRoleArn", "ram_role_arn": otherRole}),
		), change(assumed, "AccessKeyId", "STS.key", "SecurityToken", "session-token"), ""},
		{"OIDC", profile(map[string]any{
			"name": "a", "mode": "OIDC", "ram_role_arn": podRole, "oidc_provider_arn": provider, "oidc_token": oidcMark, "ram_session_name": "test",
		}), url.Values{
			"Action": {"AssumeRoleWithOIDC"}, "RoleArn": {podRole}, "RoleSessionName": {"test"}, "DurationSeconds": {"3600"},
			"OIDCProviderArn": {provider}, "OIDCToken": {oidcMark},
		}, ""},
		{"EcsRamRole", profile(map[string]any{"name": "a", "mode": "EcsRamRole", "ram_role_name": "reader"}), url.Values{}, ""},
		{
			"CloudSSO", profile(map[string]any{"name": "a", "mode": "CloudSSO", "cloud_sso_sign_in_url": "http://evil.example"}), nil,
			"default chain: no source has credentials (environment: not there; CLI profile: the profile's mode needs a person, runs commands or rewrites files; credentials file: not there)",
		},
		{
			"circle", profile(map[string]any{"name": "a", "mode": "ChainableRamRoleArn", "source_profile": "a", "ram_role_arn": readerRole}), nil,
			"default chain: no source has credentials (environment: not there; CLI profile: the profiles build on each other in a circle; credentials file: not there)",
		},
		{"null profile", func(t *testing.T, home string) {
			put(t, home, ".aliyun/config.json", `{"current":"a","profiles":[null,{"name":"a","mode":"AK","access_key_id":"x","access_key_secret":"y"}]}`)
		}, nil, "default chain: no source has credentials (environment: not there; CLI profile: the profile is not there or lacks a key; credentials file: not there)"},
		{"ini ram_role_arn", ini("type = ram_role_arn\nrole_arn = " + readerRole + "\nrole_session_name = test\npolicy = {}\n"), change(assumed, "Policy", "{}"), ""},
		{"ini ecs_ram_role", ini("type = ecs_ram_role\nrole_name = reader\n"), url.Values{}, ""},
		{"ini without a type", ini(""), nil, "default chain: no source has credentials (environment: not there; credentials file: the profile is not there or lacks a key)"},
		{"ini that is none", ini("[[["), nil, "default chain: no source has credentials (environment: not there; credentials file: the file is not readable)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.set(t, chainHome(t))
			// The metadata service is there for profiles that name
			// it.
			t.Setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", fmt.Sprint(!strings.Contains(strings.ToLower(tt.name), "ecs")))
			synctest.Test(t, func(t *testing.T) {
				n := &network{}
				n.serveAll(keys(nil))
				n.hosts["sts.aliyuncs.com:443"], n.hosts[podSTS+":443"] = n.hosts[stsHost+":443"], n.hosts[stsHost+":443"]
				c := credentials.NewClient(credentials.Options{
					TLS: &tls.Config{RootCAs: testRoots(), ServerName: "example.com", MinVersion: tls.VersionTLS12}, Dial: n.dial,
				})
				want := tt.err
				if want == "" {
					want = "STS.key"
				}
				get(t, c.Default(), want)
				if seen := n.asks(); tt.want == nil && len(seen) > 0 {
					t.Errorf("%d requests", len(seen))
				} else if tt.want != nil {
					last := seen[len(seen)-1]
					got := last.URL.Query()
					maps.Copy(got, last.PostForm)
					for _, name := range []string{"Version", "Format", "Timestamp", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Signature"} {
						got.Del(name)
					}
					if got.Encode() != tt.want.Encode() {
						t.Errorf("asked\n%s, want\n%s", got.Encode(), tt.want.Encode())
					}
				}
				n.closed(t, c)
			})
		})
	}
}

// What leaves the machine: no cookies, no referrer, no offer to unpack; the
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
			if err == nil || !strings.HasSuffix(err.Error(), "sts_endpoint must be a host or host:port") || n.dials.Load() != 1 {
				t.Errorf("%s: %v", wrong, err)
			}
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
	}
	far := []string{"keys.example", "100.100.100.201:80", "10.0.0.1", "[2001:db8::1]", "127.0.0.1.example"}
	synctest.Test(t, func(t *testing.T) {
		for _, host := range append(near, far...) {
			n := &network{}
			c := n.client(func(*http.Request) (*url.URL, error) { return url.Parse("http://" + proxy) })
			_, _ = c.URI(credentials.Given("http://" + host + "/")).Get(t.Context())
			_, through := n.dialed.Load(proxy)
			if want := !strings.Contains(strings.Join(near, " ")+" ", host+" "); through != want {
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
