package e2e

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"aliyun_dbs_exporter/dbsapi/dbssim"

	"test/internal/exporter"
)

const (
	role     = "acs:ram::1:role/dbs-reader"
	provider = "acs:ram::1:oidc-provider/ack"
	oidcMark = "oidc-token-mark"
)

// lifetime of temporary keys: long enough for a few polls, short enough to see them renewed.
const lifetime = 4 * time.Second

// cloud is an account with one plan, and the services that issue temporary keys for it.
type cloud struct {
	*dbssim.Tokens
	sim  *dbssim.Simulator
	dbs  string // its URL
	sts  string // host and port
	uri  string
	env  []string // makes the exporter trust STS
	oidc string   // file with the token
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	sim := dbssim.New(nil, dbssim.Account{AccessKeyID: keyMark, AccessKeySecret: secretMark, Plans: []dbssim.Plan{
		{ID: "dbsa", Name: "orders", Region: "cn-hangzhou", Tasks: dbssim.Fixed(finished(3)...)},
	}})
	tokens := dbssim.NewTokens(sim, lifetime, dbssim.Role{ARN: role, Account: keyMark, OIDCProviderARN: provider, OIDCToken: oidcMark})
	serve := func(start func(http.Handler) *httptest.Server, h http.Handler) *httptest.Server {
		s := start(h)
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
		return s
	}
	dbs, sts, uri := serve(httptest.NewServer, sim), serve(httptest.NewTLSServer, tokens.STS()), serve(httptest.NewServer, tokens.URI(keyMark))
	ca := exporter.WriteFile(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: sts.Certificate().Raw})))
	return &cloud{
		Tokens: tokens, sim: sim, dbs: dbs.URL, sts: strings.TrimPrefix(sts.URL, "https://"), uri: uri.URL + "/?key=" + secretMark,
		env: []string{"SSL_CERT_FILE=" + ca, "SSL_CERT_DIR=/nonexistent"}, oidc: exporter.WriteFile(t, "token", oidcMark),
	}
}

// config discovers the account's plans with a credentials block.
func (c *cloud) config(credentials string) string {
	return fmt.Sprintf("poll_interval: 1s\ntargets:\n  - account: acme\n    region_id: cn-hangzhou\n    endpoint: %s\n    requests_per_second: 100\n    discovery: {enabled: true}\n    credentials: %s\n", c.dbs, credentials)
}

// blocks are the credentials blocks of all types that need no metadata service.
func (c *cloud) blocks(t *testing.T) map[string]string {
	t.Helper()
	key := fmt.Sprintf("{type: access_key, access_key_id: %s, access_key_secret_file: %s}", keyMark, exporter.WriteFile(t, "secret", secretMark))
	oidc := fmt.Sprintf("{type: oidc_role_arn, role_arn: '%s', oidc_provider_arn: '%s', oidc_token_file: %s, sts_endpoint: '%s'}", role, provider, c.oidc, c.sts)
	assume := func(source string) string {
		return fmt.Sprintf("{type: ram_role_arn, role_arn: '%s', sts_endpoint: '%s', source: %s}", role, c.sts, source)
	}
	return map[string]string{
		"access_key":                      key,
		"ram_role_arn":                    assume(key),
		"oidc_role_arn":                   oidc,
		"credentials_uri":                 fmt.Sprintf("{type: credentials_uri, url: '%s'}", c.uri),
		"ram_role_arn from oidc_role_arn": assume(oidc),
		"default":                         "{type: default}",
	}
}

const (
	expiry    = `aliyun_dbs_credentials_expiry_timestamp_seconds{account="acme",region_id="cn-hangzhou"}`
	succeeded = `aliyun_dbs_poll_success{account="acme",plan_id="dbsa",region_id="cn-hangzhou"}`
)

// Every type works from the binary to the metrics, and its keys are renewed without a failed poll.
func TestCredentials(t *testing.T) {
	t.Parallel()
	for name := range newCloud(t).blocks(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			env := c.env
			if name == "default" {
				env = append(env, "ALIBABA_CLOUD_CREDENTIALS_URI="+c.uri, "ALIBABA_CLOUD_ECS_METADATA_DISABLED=true", "HOME=/nonexistent")
			}
			p := exporter.Start(t, exporter.Options{Config: c.config(c.blocks(t)[name]), Env: env, Args: []string{"--log.level=debug"}})
			p.Polled()
			page := p.Metrics()
			if err := page.Is(`aliyun_dbs_download_tasks{account="acme",region_id="cn-hangzhou",plan_id="dbsa",status="finish"}`, 3); err != nil {
				t.Errorf("%v\n%s", err, p.Stderr)
			}
			at, expires := page.Value(expiry)
			if expires != (name != "access_key") || expires && (at < float64(time.Now().Unix()) || at > float64(time.Now().Add(lifetime).Unix()+1)) {
				t.Errorf("credentials expire at %v (%t)", at, expires)
			}
			if expires {
				first := at
				exporter.Eventually(t, func() error { // two renewals later
					if at, _ := p.Metrics().Value(expiry); at < first+lifetime.Seconds() {
						return fmt.Errorf("credentials expire at %v, they did at %v", at, first)
					}
					return nil
				})
			}
			for line := range strings.Lines(p.Stderr.String()) {
				if strings.Contains(line, "failed") && !outOfTime(line) && !strings.Contains(line, "reasons=\"timeout=1\"") {
					t.Errorf("a poll failed: %s", line)
				}
			}
			searchForKeys(t, p)
		})
	}
}

// While STS is down polls go on until the keys end, then they fail for want of credentials; afterwards they recover.
func TestSTSIsDown(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	p := exporter.Start(t, exporter.Options{Config: c.config(c.blocks(t)["oidc_role_arn"]), Env: c.env, Args: []string{"--log.level=debug"}})
	p.Polled()
	c.SetFault(&dbssim.Fault{Status: 500, Body: `{"Code":"InternalError","Message":"` + oidcMark + dbssim.SessionSecret + `"}`})
	end, _ := p.Metrics().Value(expiry)
	lastGood := 0.0
	exporter.Eventually(t, func() error {
		page := p.Metrics()
		if good := page.Sum("aliyun_dbs_poll_last_success_timestamp_seconds"); good > lastGood {
			lastGood = good
		}
		return page.Is(succeeded, 0)
	})
	if lastGood < end-1.5 {
		t.Errorf("the last successful poll is %v s before the end of the keys", end-lastGood)
	}
	page := p.Metrics()
	if page.Sum("aliyun_dbs_api_request_failures_total", `reason="credentials"`) == 0 || page.Sum("aliyun_dbs_api_request_failures_total", `reason="auth"`) != 0 {
		t.Error("the failures do not count as credentials")
	}
	if !strings.Contains(p.Stderr.String(), "assume RAM role with OIDC at "+c.sts+": the service failed") {
		t.Errorf("the log does not name the source:\n%s", p.Stderr)
	}
	c.SetFault(nil)
	back := time.Now()
	exporter.Eventually(t, func() error { return p.Metrics().Is(succeeded, 1) })
	if took := time.Since(back); took > 20*time.Second { // 5 s where nothing else runs
		t.Errorf("recovered after %v", took)
	}
	searchForKeys(t, p)
}

// searchForKeys fails if any output holds a secret, a token or the location that gives them.
func searchForKeys(t *testing.T, p *exporter.Process) {
	t.Helper()
	all := p.Stderr.String() + p.Stdout.String()
	for _, path := range []string{"/metrics", "/", "/-/ready", "/api/v1/status"} {
		all += p.Do(http.MethodGet, path).Body
	}
	searchFor(t, "output", all)
	for _, mark := range []string{oidcMark, dbssim.SessionSecret, dbssim.SessionToken, "?key=", "STS."} {
		if strings.Contains(all, mark) {
			t.Errorf("output holds %q", mark)
		}
	}
}
