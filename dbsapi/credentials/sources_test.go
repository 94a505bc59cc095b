package credentials_test

import (
	"bytes"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/credentials"
	"aliyun_dbs_exporter/dbsapi/dbssim"
)

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
