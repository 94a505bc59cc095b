package config_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/credentials"
)

func TestEndpointAndQuota(t *testing.T) {
	const public, vpc = "dbs-api.cn-hangzhou.aliyuncs.com", "dbs-api-vpc.cn-hangzhou.aliyuncs.com"
	for _, tt := range []struct{ keys, endpoint, host string }{
		{"", public, public},
		{"    network: vpc\n", vpc, vpc},
		{"    endpoint: dbs.example:8443\n", "dbs.example:8443", "dbs.example:8443"},
		{"    endpoint: https://DBS.example:443/\n    network: vpc\n", "https://DBS.example:443/", "dbs.example"},
		{"    endpoint: http://127.0.0.1:1\n", "http://127.0.0.1:1", "127.0.0.1:1"},
	} {
		target := target(t, tt.keys+"    account: acme\n")
		if got := target.Endpoint(); got != tt.endpoint {
			t.Errorf("%q: endpoint is %s, want %s", tt.keys, got, tt.endpoint)
		}
		if got, want := target.Quota(), (config.Quota{Account: "acme", Endpoint: tt.host}); got != want {
			t.Errorf("%q: quota is %v, want %v", tt.keys, got, want)
		}
	}
}

// Regions can share an endpoint, and so its quota. The lowest rate of a quota
// counts.
func TestRates(t *testing.T) {
	c := parse(t, `targets:
  - {account: a, region_id: cn-hangzhou, requests_per_second: 3, plans: [{id: dbsa}]}
  - {account: a, region_id: cn-shanghai, requests_per_second: 2, plans: [{id: dbsa}]}
  - {account: a, region_id: cn-beijing, requests_per_second: 4, plans: [{id: dbsa}]}
  - {account: a, region_id: eu-west-1, requests_per_second: 0.5, plans: [{id: dbsa}]}
  - {account: b, region_id: cn-hangzhou, plans: [{id: dbsa}]}
`)
	want := map[config.Quota]float64{
		{Account: "a", Endpoint: "dbs-api.cn-hangzhou.aliyuncs.com"}: 2,
		{Account: "a", Endpoint: "dbs-api.eu-west-1.aliyuncs.com"}:   0.5,
		{Account: "b", Endpoint: "dbs-api.cn-hangzhou.aliyuncs.com"}: 5,
	}
	if diff := cmp.Diff(want, c.Rates()); diff != "" {
		t.Error(diff)
	}
}

func TestSameIdentity(t *testing.T) {
	const role = "      type: ram_role_arn\n      role_arn: r\n      source:\n" +
		"        type: access_key\n        access_key_id: a\n        access_key_secret: "
	for _, tt := range []struct {
		name, a, b string
		want       bool
	}{
		{"nothing changed", good, good, true},
		{"other plans and limits", good, after(t, region, "    requests_per_second: 1\n    discovery: {enabled: true}\n    gateways: {enabled: true}\n"), true},
		{"the endpoint of the region, given", good, after(t, region, "    endpoint: dbs-api.cn-hangzhou.aliyuncs.com\n"), true},
		{"other network", good, after(t, region, "    network: vpc\n"), false},
		{"other endpoint", good, after(t, region, "    endpoint: dbs.example\n"), false},
		{"other secret", good, with(t, secretMark, "rotated"), false},
		{"other type", good, with(t, block, "      type: default\n"), false},
		{"other source", with(t, block, role+"one\n"), with(t, block, role+"two\n"), false},
		{"same source", with(t, block, role+"one\n"), with(t, block, role+"one\n"), true},
		{"default chain, given", with(t, "    credentials:\n"+block, ""), with(t, block, "      type: default\n"), true},
	} {
		a, b := &parse(t, tt.a).Targets[0], &parse(t, tt.b).Targets[0]
		if a.SameIdentity(b) != tt.want || b.SameIdentity(a) != tt.want {
			t.Errorf("%s: same identity is %t, want %t", tt.name, a.SameIdentity(b), tt.want)
		}
	}
}

// Keys are given in the file or in files of their own.
func TestKeys(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"id", "secret", "token"} {
		writeFile(t, filepath.Join(dir, name), name+"-of-a-file\n")
	}
	for _, tt := range []struct {
		name, block string
		want        credentials.Credentials
	}{
		{"key", block, credentials.New(keyMark, secretMark, "", time.Time{})},
		{
			"key in files", typeKey + "      access_key_id_file: id\n      access_key_secret_file: secret\n",
			credentials.New("id-of-a-file", "secret-of-a-file", "", time.Time{}),
		},
		{
			"session", "      type: sts\n" + keyID + secret + "      security_token: " + tokenMark + "\n",
			credentials.New(keyMark, secretMark, tokenMark, time.Time{}),
		},
		{
			"session in files", "      type: sts\n      access_key_id_file: id\n      access_key_secret_file: secret\n      security_token_file: token\n",
			credentials.New("id-of-a-file", "secret-of-a-file", "token-of-a-file", time.Time{}),
		},
	} {
		c, err := config.Parse([]byte(with(t, block, tt.block)), filepath.Join(dir, "config.yml"))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		got, err := c.Targets[0].Credentials(issuer).Get(t.Context())
		if err != nil || got != tt.want {
			t.Errorf("%s: error is %v, credentials are the wanted ones: %t", tt.name, err, got == tt.want)
		}
	}
}

// Credentials that are fetched come from the place that the block names. Nobody
// listens there, and the error says where that is.
func TestFetchedCredentials(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	listener.Close()
	token := filepath.Join(t.TempDir(), "token")
	writeFile(t, token, tokenMark)
	for name, keys := range map[string]string{
		"RAM role": "      type: ram_role_arn\n      role_arn: r\n      sts_endpoint: " + closed + "\n      source:\n" +
			"        type: access_key\n        access_key_id: a\n        access_key_secret: b\n",
		"OIDC role": "      type: oidc_role_arn\n      role_arn: r\n      oidc_provider_arn: p\n      sts_endpoint: " + closed +
			"\n      oidc_token_file: " + token + "\n",
		"URI": "      type: credentials_uri\n      url: http://" + closed + "/path\n",
	} {
		target := parse(t, with(t, block, keys)).Targets[0]
		if _, err := target.Credentials(issuer).Get(t.Context()); err == nil || !strings.Contains(err.Error(), closed) {
			t.Errorf("%s: error is %v, does not name %s", name, err, closed)
		}
	}
}

// Providers hold state, so each call returns another one.
func TestCredentialsAreNew(t *testing.T) {
	for _, kind := range []string{"default", "ecs_ram_role"} {
		target := parse(t, with(t, block, "      type: "+kind+"\n")).Targets[0]
		if target.CredentialsType() != kind {
			t.Errorf("type is %s, want %s", target.CredentialsType(), kind)
		}
		if target.Credentials(issuer) == target.Credentials(issuer) {
			t.Errorf("%s: two calls return the same provider", kind)
		}
	}
}

func TestWants(t *testing.T) {
	plan := dbsapi.BackupPlan{ID: "dbsa", Name: "prod-orders", Status: "running"}
	with := func(change func(*dbsapi.BackupPlan)) dbsapi.BackupPlan {
		changed := plan
		change(&changed)
		return changed
	}
	for _, tt := range []struct {
		name, keys string
		plan       dbsapi.BackupPlan
		want       bool
	}{
		{"any plan that runs", "", plan, true},
		{"without a name", "", with(func(p *dbsapi.BackupPlan) { p.Name = "" }), true},
		{"name of two lines", "", with(func(p *dbsapi.BackupPlan) { p.Name = "a\nb" }), true},
		{"stopped", "", with(func(p *dbsapi.BackupPlan) { p.Status = "stop" }), false},
		{"no ID", "", with(func(p *dbsapi.BackupPlan) { p.ID = "" }), false},
		{"invalid ID", "", with(func(p *dbsapi.BackupPlan) { p.ID = "dbsa dbsb" }), false},
		{"included", "include: prod-.*", plan, true},
		{"included in part", "include: prod", plan, false},
		{"one of two names", "include: orders|prod-orders", plan, true},
		{"excluded", "exclude: .*-orders", plan, false},
		{"excluded in part", "exclude: orders", plan, true},
		{"empty exclude", "exclude: ''", with(func(p *dbsapi.BackupPlan) { p.Name = "" }), true},
		{"status of a list", "statuses: [stop, pause]", with(func(p *dbsapi.BackupPlan) { p.Status = "pause" }), true},
		{"status not in the list", "statuses: [stop, pause]", plan, false},
		{"undocumented status", "statuses: [unknown]", with(func(p *dbsapi.BackupPlan) { p.Status = "hibernating" }), true},
		{"no status", "statuses: [unknown]", with(func(p *dbsapi.BackupPlan) { p.Status = "" }), true},
	} {
		discovery := target(t, "    discovery: {"+tt.keys+"}\n").Discovery
		if got := discovery.Wants(tt.plan); got != tt.want {
			t.Errorf("%s: wanted is %t, want %t", tt.name, got, tt.want)
		}
	}
}

func TestParsePlanStatus(t *testing.T) {
	for raw, want := range map[string]string{
		"wait": "wait", "init": "init", "running": "running", "stop": "stop", "pause": "pause", "locked": "locked",
		"check_pass": "check_pass", "unknown": "unknown", "": "unknown", "Running": "unknown", "hibernating": "unknown",
	} {
		if got := config.ParsePlanStatus(raw); got != want {
			t.Errorf("%q is %q, want %q", raw, got, want)
		}
	}
}

var errNoNetwork = errors.New("no network")

// Requests leave through the proxy, except to hosts that are reached without it.
func TestHTTPClient(t *testing.T) {
	for _, tt := range []struct{ keys, url, want string }{
		{"", "https://dbs.example/", "dbs.example:443"},
		{"proxy_url: http://user:pass@proxy.example:3128", "https://dbs.example/", "proxy.example:3128"},
		{"proxy_url: http://proxy.example:3128, no_proxy: .example", "https://dbs.example/", "dbs.example:443"},
		{"proxy_url: http://proxy.example:3128, no_proxy: .other", "https://dbs.example/", "proxy.example:3128"},
		{"proxy_url: http://proxy.example:3128", "http://127.0.0.1:1/", "127.0.0.1:1"},
		{"tls_config: {min_version: TLS13}", "https://dbs.example/", "dbs.example:443"},
	} {
		dialed := make(map[string]bool)
		dial := func(_ context.Context, _, address string) (net.Conn, error) {
			dialed[address] = true
			return nil, errNoNetwork
		}
		client, err := parse(t, good+"http_client: {"+tt.keys+"}\n").NewHTTPClient(dial)
		if err != nil {
			t.Errorf("%s: %v", tt.keys, err)
			continue
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tt.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = client.Do(request); !errors.Is(err, errNoNetwork) {
			t.Errorf("%s: error is %v", tt.keys, err)
		}
		if diff := cmp.Diff(map[string]bool{tt.want: true}, dialed); diff != "" {
			t.Errorf("%s: dialed %s", tt.keys, diff)
		}
	}
}

func TestUserAgent(t *testing.T) {
	if got := config.UserAgent(); !strings.HasPrefix(got, "aliyun_dbs_exporter/") {
		t.Errorf("user agent is %q", got)
	}
}
