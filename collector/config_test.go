package collector_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v4"

	"aliyun_dbs_exporter/collector"
	"aliyun_dbs_exporter/dbsapi"
)

// good is a configuration into which the cases below put one fault.
const good = `poll_interval: 1m
targets:
  - region_id: cn-hangzhou
    credentials:
      type: access_key
      access_key_id: ` + keyMark + `
      access_key_secret: ` + secretMark + `
    plans:
      - id: dbsa
`

// in puts lines below the line of good that starts with a text.
func in(line, lines string) string {
	return strings.Replace(good, line+"\n", line+"\n"+lines+"\n", 1)
}

func instead(old, replacement string) string { return strings.Replace(good, old, replacement, 1) }

func TestBadConfig(t *testing.T) {
	const secrets = "      access_key_id: " + keyMark + "\n      access_key_secret: " + secretMark + "\n"
	withCredentials := func(lines string) string {
		return instead("      type: access_key\n"+secrets, lines)
	}
	target := "  - region_id: cn-hangzhou"
	tests := []struct{ name, text, want string }{
		{"empty", "", "test.yml:1: the file is empty; start from config.example.yml"},
		{"comments only", "# nothing\n\n", "test.yml:1: the file is empty; start from config.example.yml"},
		{"second document", good + "---\nfoo: bar\n", "test.yml:1: the file holds more than one document; remove what follows the second ---"},
		{"not YAML", "targets: [\n", "test.yml:2: is not valid YAML: did not find expected node content"},
		{"tab", "targets:\n\t- region_id: x\n", "test.yml:2: is not valid YAML: found character that cannot start any token"},
		{"secret in bad YAML", "targets:\n  - credentials: *" + secretMark + "\n", "test.yml:2: is not valid YAML"},
		{"secret in unclosed text", "a: \"" + secretMark + "\nb: c\n", "test.yml:3: is not valid YAML: found unexpected end of stream"},
		{"a text", secretMark, "test.yml:1: want a block of keys"},
		{"a list", "- a\n", "test.yml:1: want a block of keys"},
		{"unknown key", "poll_intervall: 1m\n" + good, "test.yml:1: poll_intervall: unknown key, did you mean poll_interval?"},
		{"unknown key, nothing like it", "metrics: 1m\n" + good, "test.yml:1: metrics: unknown key"},
		{"unknown key of a target", in(target, "    regoin_id: x"), "test.yml:4: targets[0].regoin_id: unknown key, did you mean region_id?"},
		{"unknown key of a plan", in("      - id: dbsa", "        max_age: 1h"), "test.yml:10: targets[0].plans[0].max_age: unknown key"},
		{"secret for a key", in(target, "    "+keyMark+": x"), "test.yml:4: targets[0]: holds something that is not a key"},
		{"key twice", good + "poll_interval: 2m\n", "test.yml:10: poll_interval: is set twice, first on line 1"},
		{"key of a target twice", in(target, "    region_id: cn-beijing"), "test.yml:4: targets[0].region_id: is set twice, first on line 3"},
		{"no targets", "poll_interval: 1m\n", "test.yml:1: targets: want at least one"},
		{"empty targets", "poll_interval: 1m\ntargets: []\n", "test.yml:2: targets: want at least one"},
		{"targets without a list", "targets: " + secretMark + "\n", "test.yml:1: targets: want a list"},
		{"target that is no block", "targets:\n  - " + secretMark + "\n", "test.yml:2: targets[0]: want a block of keys"},
		{"interval without unit", instead("1m", "60"), "test.yml:1: poll_interval: want a duration such as 30s, 5m or 1d"},
		{"interval that is a list", instead("1m", "[1m]"), "test.yml:1: poll_interval: want a duration such as 30s, 5m or 1d"},
		{"interval too short", instead("1m", "999ms"), "test.yml:1: poll_interval: want 1s at the least; the API's quota is shared by the whole account"},
		{"timeout over interval", good + "poll_timeout: 61s\n", "test.yml:10: poll_timeout: want more than 0 and at most poll_interval, 1m"},
		{"stale before the next poll", good + "stale_after: 30s\n", "test.yml:10: stale_after: want at least poll_interval, 1m, else listings vanish between polls"},
		{"no series", good + "task_series:\n  max_per_plan: 0\n", "test.yml:11: task_series.max_per_plan: want 1 at the least; set task_series.enabled to false for no series of tasks"},
		{"no series in total", good + "task_series:\n  max_total: -1\n", "test.yml:11: task_series.max_total: want 1 at the least; set task_series.enabled to false for no series of tasks"},
		{"no age", good + "task_series:\n  completed_within: 0s\n", "test.yml:11: task_series.completed_within: want more than 0; set task_series.enabled to false for no series of tasks"},
		{"count with a fraction", good + "task_series:\n  max_total: 1.5\n", "test.yml:11: task_series.max_total: want a whole number"},
		{"switch that is none", good + "task_series:\n  enabled: maybe\n", "test.yml:11: task_series.enabled: want true or false"},
		{"proxy URL", good + "http_client:\n  proxy_url: '::" + secretMark + "'\n", "test.yml:11: http_client.proxy_url: want a URL such as http://proxy.example:3128"},
		{"two proxies", good + "http_client:\n  proxy_url: http://p:1\n  proxy_from_environment: true\n", "test.yml:12: http_client.proxy_from_environment: excludes proxy_url and no_proxy"},
		{"no_proxy alone", good + "http_client:\n  no_proxy: x\n", "test.yml:11: http_client.no_proxy: needs proxy_url"},
		{"certificate without key", good + "http_client:\n  tls_config:\n    cert_file: config_test.go\n", "test.yml:11: http_client.tls_config: cert_file and key_file go together"},
		{"CA that is not there", good + "http_client:\n  tls_config:\n    ca_file: none.pem\n", "test.yml:12: http_client.tls_config.ca_file: the file cannot be read: none.pem"},
		{"CA that is none", good + "http_client:\n  tls_config:\n    ca_file: config_test.go\n", "test.yml:11: http_client.tls_config: the files hold no valid certificates"},
		{"TLS version", good + "http_client:\n  tls_config:\n    min_version: SSL3\n", "test.yml:12: http_client.tls_config.min_version: want TLS12 or TLS13"},
		{"check switched off", good + "http_client:\n  tls_config:\n    insecure_skip_verify: true\n", "test.yml:12: http_client.tls_config.insecure_skip_verify: unknown key"},
		{"no region", instead("region_id: cn-hangzhou", "account: a"), "test.yml:3: targets[0].region_id: is required, such as cn-hangzhou"},
		{"region that is none", instead("cn-hangzhou", "Hangzhou!"), "test.yml:3: targets[0].region_id: want a region ID such as cn-hangzhou"},
		{"unknown network", in(target, "    network: internet"), "test.yml:4: targets[0].network: want public or vpc"},
		{"no such endpoint", instead("cn-hangzhou", "me-east-1\n    network: vpc"), "test.yml:3: targets[0].region_id: region has no known vpc endpoint; set endpoint if the region is new"},
		{"plain endpoint", in(target, "    endpoint: http://dbs.example"), "test.yml:4: targets[0].endpoint: plain http is for loopback hosts only, use https"},
		{"password in the endpoint", in(target, "    endpoint: https://u:"+secretMark+"@dbs.example"), "test.yml:4: targets[0].endpoint: must not hold a user name or password"},
		{"no rate", in(target, "    requests_per_second: 0"), "test.yml:4: targets[0].requests_per_second: want more than 0 and at most 1000"},
		{"rate that is no number", in(target, "    requests_per_second: .nan"), "test.yml:4: targets[0].requests_per_second: want more than 0 and at most 1000"},
		{"rate that is a text", in(target, "    requests_per_second: fast"), "test.yml:4: targets[0].requests_per_second: want a number"},
		{"no concurrency", in(target, "    max_concurrent_requests: 0"), "test.yml:4: targets[0].max_concurrent_requests: want 1 to 64"},
		{"empty account", in(target, "    account: \"\""), "test.yml:4: targets[0].account: want a name of up to 256 bytes; leave the key out for \"default\""},
		{"no plans", instead("    plans:\n      - id: dbsa\n", ""), "test.yml:3: targets[0].plans: want at least one plan, or discovery.enabled: true"},
		{"expression", in(target, "    discovery: {include: 'a('}"), "test.yml:4: targets[0].discovery.include: want a regular expression such as prod-.*"},
		{"no include", in(target, "    discovery: {include: ''}"), "test.yml:4: targets[0].discovery.include: matches no plan; leave the key out for all"},
		{"discovery too often", in(target, "    discovery: {interval: 9s}"), "test.yml:4: targets[0].discovery.interval: want 10s at the least; the API's quota is shared by the whole account"},
		{"no status", in(target, "    discovery: {statuses: []}"), "test.yml:4: targets[0].discovery.statuses: want at least one; leave the key out for running"},
		{"unknown plan status", in(target, "    discovery: {statuses: [running, finish]}"), "test.yml:4: targets[0].discovery.statuses[1]: want wait, init, running, stop, pause, locked, check_pass, unknown"},
		{"statuses as text", in(target, "    discovery: {statuses: running}"), "test.yml:4: targets[0].discovery.statuses: want a list"},
		{"plan without ID", instead("id: dbsa", "name: a"), "test.yml:9: targets[0].plans[0].id: is required, such as dbsqhnuhyw3abcd"},
		{"two IDs in one", instead("id: dbsa", "id: dbsa,dbsb"), "test.yml:9: targets[0].plans[0].id: want the ID of one backup plan, such as dbsqhnuhyw3abcd"},
		{"plan twice", in("      - id: dbsa", "      - id: dbsb\n      - id: dbsa"), "test.yml:11: targets[0].plans[2].id: is the plan of line 9 again"},
		{"negative age", in("      - id: dbsa", "        max_success_age: 0s"), "test.yml:10: targets[0].plans[0].max_success_age: want more than 0; leave the key out for no limit"},
		{"name too long", in("      - id: dbsa", "        name: "+strings.Repeat("n", 257)), "test.yml:10: targets[0].plans[0].name: want at most 256 bytes"},
		{"target twice", good + strings.Join(strings.SplitAfter(good, "\n")[2:], ""), "test.yml:10: targets[1]: account and region_id are those of the target on line 3; put the plans together, or name the accounts differently"},
		{"credentials that are a text", instead("credentials:\n      type: access_key\n"+secrets, "credentials: "+secretMark+"\n"), "test.yml:4: targets[0].credentials: want a block of keys"},
		{"unknown credentials", instead("type: access_key", "type: password"), "test.yml:5: targets[0].credentials.type: want default, access_key, sts, ram_role_arn, ecs_ram_role, oidc_role_arn or credentials_uri"},
		{"no type", withCredentials(secrets), "test.yml:5: targets[0].credentials.access_key_id: does not belong to type default"},
		{"no secret", instead("      access_key_secret: "+secretMark+"\n", ""), "test.yml:4: targets[0].credentials.access_key_secret: type access_key needs it, or access_key_secret_file"},
		{"secret twice", in("      access_key_secret: "+secretMark, "      access_key_secret_file: config_test.go"), "test.yml:7: targets[0].credentials.access_key_secret: is given twice, here and as access_key_secret_file"},
		{"token of a key", in("      access_key_secret: "+secretMark, "      security_token: "+tokenMark), "test.yml:8: targets[0].credentials.security_token: does not belong to type access_key"},
		{"no token", instead("access_key\n", "sts\n"), "test.yml:4: targets[0].credentials.security_token: type sts needs it, or security_token_file"},
		{"secret's file is not there", instead("access_key_secret: "+secretMark, "access_key_secret_file: none"), "test.yml:7: targets[0].credentials.access_key_secret_file: read none: no such file or directory"},
		{"secret that is a list", instead("access_key_secret: "+secretMark, "access_key_secret: ["+secretMark+"]"), "test.yml:7: targets[0].credentials.access_key_secret: want a text"},
		{"no role", withCredentials("      type: ram_role_arn\n"), "test.yml:4: targets[0].credentials.role_arn: type ram_role_arn needs it"},
		{"session too short", withCredentials("      type: ram_role_arn\n      role_arn: r\n      session_duration: 14m\n"), "test.yml:7: targets[0].credentials.session_duration: want 15m to 12h"},
		{"STS URL", withCredentials("      type: ram_role_arn\n      role_arn: r\n      sts_endpoint: https://sts.example\n"), "test.yml:7: targets[0].credentials.sts_endpoint: want a host or host:port, without scheme or path"},
		{"source with a fault", withCredentials("      type: ram_role_arn\n      role_arn: r\n      source:\n        type: access_key\n"), "test.yml:7: targets[0].credentials.source.access_key_id: type access_key needs it, or access_key_id_file"},
		{"no OIDC token", withCredentials("      type: oidc_role_arn\n      role_arn: r\n      oidc_provider_arn: p\n"), "test.yml:4: targets[0].credentials.oidc_token_file: type oidc_role_arn needs it"},
		{"OIDC token is not there", withCredentials("      type: oidc_role_arn\n      role_arn: r\n      oidc_provider_arn: p\n      oidc_token_file: none\n"), "test.yml:8: targets[0].credentials.oidc_token_file: read none: no such file or directory"},
		{"source of an ECS role", withCredentials("      type: ecs_ram_role\n      source: {}\n"), "test.yml:6: targets[0].credentials.source: does not belong to type ecs_ram_role"},
		{"no URL", withCredentials("      type: credentials_uri\n"), "test.yml:4: targets[0].credentials.url: type credentials_uri needs it, or url_file"},
		{"block that holds itself", "targets:\n  - credentials: &a\n      type: ram_role_arn\n      role_arn: r\n      source: *a\n", "test.yml:3: targets[0].credentials" + strings.Repeat(".source", 13) + ".type: is nested too deeply, or holds itself"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := collector.ParseConfig([]byte(tt.text), "test.yml")
			if err == nil || err.Error() != tt.want {
				t.Fatalf("error is\n%v, want\n%s", err, tt.want)
			}
			for _, mark := range []string{keyMark, secretMark, tokenMark} {
				if strings.Contains(err.Error(), mark) {
					t.Errorf("error holds %s", mark)
				}
			}
			if _, ok := errors.AsType[*collector.KeyError](err); !ok {
				t.Errorf("error is a %T", err)
			}
		})
	}
}

func TestConfigFileErrors(t *testing.T) {
	_, err := collector.LoadConfig(filepath.Join("testdata", "none.yml"))
	if want := "read configuration testdata/none.yml: no such file or directory; name another with --config.file"; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}

func pattern(t *testing.T, text string) (p collector.Pattern) {
	t.Helper()
	if err := p.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestConfigDefaults(t *testing.T) {
	c := parse(t, "targets: [{region_id: cn-hangzhou, plans: [{id: dbsa}]}]")
	want := &collector.Config{
		PollInterval: model.Duration(time.Minute),
		PollTimeout:  model.Duration(30 * time.Second),
		StaleAfter:   model.Duration(5 * time.Minute),
		TaskSeries:   collector.TaskSeriesConfig{Enabled: true, CompletedWithin: model.Duration(24 * time.Hour), MaxPerPlan: 100, MaxTotal: 2000},
		Targets: []collector.TargetConfig{{
			Account: "default", RegionID: "cn-hangzhou", Network: dbsapi.NetworkPublic, RequestsPerSecond: 5, MaxConcurrentRequests: 4,
			Credentials: collector.CredentialsConfig{Type: collector.CredentialsDefault},
			Plans:       []collector.PlanConfig{{ID: "dbsa"}},
			Discovery: collector.DiscoveryConfig{
				Interval: model.Duration(10 * time.Minute), Include: pattern(t, ".*"), Statuses: []string{"running"},
			},
		}},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	// What depends on another key follows it; an empty value is as if the key were not there.
	c = parse(t, "poll_interval: 10s\npoll_timeout:\ntask_series:\n  max_total: 7\n"+strings.TrimPrefix(good, "poll_interval: 1m\n"))
	if time.Duration(c.PollTimeout) != 10*time.Second || time.Duration(c.StaleAfter) != 50*time.Second {
		t.Errorf("poll_timeout is %v, stale_after %v", c.PollTimeout, c.StaleAfter)
	}
	if c.TaskSeries.MaxTotal != 7 || c.TaskSeries.MaxPerPlan != 100 || !c.TaskSeries.Enabled {
		t.Errorf("task_series is %+v", c.TaskSeries)
	}
}

// Blocks can be written once and used again.
func TestConfigAliases(t *testing.T) {
	c := parse(t, `targets:
  - region_id: cn-hangzhou
    credentials: &key {type: access_key, access_key_id: a, access_key_secret: b}
    plans: [{id: dbsa}]
  - region_id: cn-shanghai
    credentials: *key
    plans: [{id: dbsa}]
`)
	if diff := cmp.Diff(c.Targets[0].Credentials, c.Targets[1].Credentials); diff != "" || c.Targets[1].Credentials.AccessKeyID != "a" {
		t.Error(diff)
	}
}

// Paths are relative to the file, wherever the process was started.
func TestConfigPaths(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"config.yml":  "targets: [{region_id: cn-hangzhou, plans: [{id: dbsa}], credentials: {type: access_key, access_key_id: a, access_key_secret_file: keys/secret}}]",
		"keys/secret": secretMark + "\n",
	} {
		writeFile(t, filepath.Join(dir, name), text)
	}
	c, err := collector.LoadConfig(filepath.Join(dir, "config.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Targets[0].Credentials.AccessKeySecretFile, filepath.Join(dir, "keys/secret"); got != want {
		t.Errorf("path is %s, want %s", got, want)
	}
}

// A configuration that is printed shows no secret.
func TestPrintedConfigHidesSecrets(t *testing.T) {
	c := parse(t, in("      access_key_secret: "+secretMark, "")+"http_client:\n  proxy_url: http://user:"+tokenMark+"@proxy.example\n")
	text, err := yaml.Dump(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, mark := range []string{keyMark, secretMark, tokenMark} {
		if strings.Contains(string(text), mark) {
			t.Errorf("%s is in\n%s", mark, text)
		}
	}
	if !strings.Contains(string(text), "access_key_secret: <secret>") {
		t.Errorf("printed is\n%s", text)
	}
}

// The example loads as it is, and with all that is commented out; it has every key.
func TestExampleConfig(t *testing.T) {
	path := filepath.Join("..", "config.example.yml")
	if _, err := collector.LoadConfig(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for line := range strings.Lines(string(text)) {
		if code, ok := strings.CutPrefix(line, "# "); ok {
			line = "  " + code
		}
		all.WriteString(line)
	}
	dir := t.TempDir()
	for _, name := range []string{"access-key-id", "access-key-secret", "security-token", "oidc-token", "credentials-url"} {
		writeFile(t, filepath.Join(dir, "secrets", name), secretMark)
	}
	for name, block := range certificate(t) {
		writeFile(t, filepath.Join(dir, "tls", name), block)
	}
	writeFile(t, filepath.Join(dir, "config.yml"), all.String())
	c, err := collector.LoadConfig(filepath.Join(dir, "config.yml"))
	if err != nil {
		t.Fatal(err)
	}
	missing := missingKeys(reflect.ValueOf(c).Elem(), all.String())
	if len(missing) > 0 {
		t.Errorf("the example lacks %v", missing)
	}
}

// missingKeys returns the keys of a configuration's structs that do not stand at the start of a line of the text.
func missingKeys(v reflect.Value, text string) []string {
	var missing []string
	switch v.Kind() {
	case reflect.Pointer:
		return missingKeys(reflect.New(v.Type().Elem()).Elem(), text)
	case reflect.Slice:
		return missingKeys(reflect.New(v.Type().Elem()).Elem(), text)
	case reflect.Struct:
		for i := range v.NumField() {
			key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
			if key == "" {
				continue // not one of ours
			}
			if !regexp.MustCompile(`(?m)^[ -]*\[?\{?`+key+`:`).MatchString(text) && !strings.Contains(text, "{"+key+":") {
				missing = append(missing, key)
			}
			if key != "source" { // is a block of its own kind
				missing = append(missing, missingKeys(v.Field(i), text)...)
			}
		}
	}
	return missing
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// certificate returns a self-signed certificate, as its own CA, and its key.
func certificate(t *testing.T) map[string]string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return map[string]string{
		"ca.pem": cert, "client.pem": cert,
		"client-key.pem": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})),
	}
}

// lineBreak is what ends a line in YAML.
var lineBreak = regexp.MustCompile("\r\n|[\n\r\u0085\u2028\u2029]")

// Whatever is in the file, loading ends, and the error names a line.
func FuzzParseConfig(f *testing.F) {
	f.Add(good)
	f.Add("targets: &a [*a, {credentials: {type: sts, source: {source: {}}}}]")
	f.Add("poll_interval: 1m\n---\n")
	f.Add("http_client: {proxy_url: 'http://%zz', tls_config: {min_version: TLS12}}\ntargets: [{plans: [{id: !!int x}]}]")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "_file") {
			return // reads whatever the fuzzer names
		}
		c, err := collector.ParseConfig([]byte(text), "fuzz.yml")
		var keyErr *collector.KeyError
		switch {
		case err == nil && len(c.Targets) == 0:
			t.Error("accepted no targets")
		case err != nil && !errors.As(err, &keyErr):
			t.Errorf("error %v names no line", err)
		case err != nil && (keyErr.Line < 1 || keyErr.Line > len(lineBreak.FindAllString(text, -1))+2):
			t.Errorf("line is %d in %q", keyErr.Line, text)
		}
	})
}
