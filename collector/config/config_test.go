package config_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/collector/config"
)

// defaults is the printed form of a configuration that sets only what it must.
const defaults = `poll_interval: 1m
poll_timeout: 30s
stale_after: 5m
idle_poll_interval: 1m
full_listing_interval: 30m
task_series:
  enabled: true
  completed_within: 1d
  max_per_plan: 100
  max_total: 2000
http_client:
  proxy_from_environment: false
targets:
- account: default
  region_id: cn-hangzhou
  network: public
  requests_per_second: 5
  max_concurrent_requests: 4
  credentials:
    type: default
  plans:
  - id: dbsa
  discovery:
    enabled: false
    interval: 10m
    include: .*
    statuses:
    - running
  gateways:
    enabled: false
    interval: 1m
`

func TestDefaults(t *testing.T) {
	// A key without a value has its default.
	for name, text := range map[string]string{
		"no key": "targets: [{region_id: cn-hangzhou, plans: [{id: dbsa}]}]",
		"keys without a value": "poll_interval:\npoll_timeout:\nstale_after:\ntask_series:\nhttp_client:\ntargets:\n" +
			"  - {region_id: cn-hangzhou, account: , network: , credentials: , discovery: , gateways: , plans: [{id: dbsa, max_success_age: }]}",
		"blocks without keys": "task_series: {}\nhttp_client: {tls_config: {}}\ntargets:\n" +
			"  - {region_id: cn-hangzhou, credentials: {}, discovery: {}, gateways: {}, plans: [{id: dbsa}]}",
		"keys without a value in blocks": "task_series: {enabled: , max_total: }\nhttp_client: {proxy_url: , tls_config: }\ntargets:\n" +
			"  - {region_id: cn-hangzhou, credentials: {type: }, discovery: {include: , statuses: }, gateways: {interval: }, plans: [{id: dbsa}]}",
		"keys with the value null": "poll_timeout: null\ntask_series: ~\ntargets:\n" +
			"  - {region_id: cn-hangzhou, credentials: null, plans: [{id: dbsa, max_success_age: ~}]}",
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(defaults, printed(t, parse(t, text))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The defaults of some keys follow the value of another.
func TestDerivedDefaults(t *testing.T) {
	for _, tt := range []struct {
		interval, idle             string
		timeout, stale, idles, all time.Duration
	}{
		{"10s", "", 10 * time.Second, 50 * time.Second, 10 * time.Second, 30 * time.Minute},
		{"30s", "", 30 * time.Second, 150 * time.Second, 30 * time.Second, 30 * time.Minute},
		{"1h", "", 30 * time.Second, 5 * time.Hour, time.Hour, time.Hour},
		{"1m", "idle_poll_interval: 10m\n", 30 * time.Second, 50 * time.Minute, 10 * time.Minute, 30 * time.Minute},
	} {
		c := parse(t, tt.idle+with(t, "1m", tt.interval))
		got := []config.Duration{c.PollTimeout, c.StaleAfter, c.IdlePollInterval, c.FullListingInterval}
		want := []config.Duration{config.Duration(tt.timeout), config.Duration(tt.stale), config.Duration(tt.idles), config.Duration(tt.all)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("poll_interval %s, %s: poll_timeout, stale_after, idle_poll_interval and full_listing_interval: %s", tt.interval, tt.idle, diff)
		}
	}
}

// A block that sets one key has the defaults of the others.
func TestPartOfABlock(t *testing.T) {
	c := parse(t, good+"task_series:\n  max_total: 7\n")
	want := config.TaskSeries{Enabled: true, CompletedWithin: config.Duration(24 * time.Hour), MaxPerPlan: 100, MaxTotal: 7}
	if c.TaskSeries != want {
		t.Errorf("task_series is %+v, want %+v", c.TaskSeries, want)
	}
}

// A block can be written once and used again.
func TestAliases(t *testing.T) {
	c := parse(t, `targets:
  - region_id: cn-hangzhou
    credentials: &key {type: access_key, access_key_id: a, access_key_secret: b}
    plans: &plans
      - {id: dbsa}
  - region_id: cn-shanghai
    credentials: *key
    plans: *plans
`)
	if c.Targets[0].CredentialsBlock != c.Targets[1].CredentialsBlock || c.Targets[1].CredentialsType() != "access_key" {
		t.Errorf("credentials are %v and %v", c.Targets[0].CredentialsBlock, c.Targets[1].CredentialsBlock)
	}
	if diff := cmp.Diff(c.Targets[0].Plans, c.Targets[1].Plans); diff != "" {
		t.Error(diff)
	}
}

// Many targets may share blocks, and a file may have many plans.
func TestLargeConfig(t *testing.T) {
	var text strings.Builder
	text.WriteString("targets:\n  - account: a\n    region_id: cn-hangzhou\n" +
		"    credentials: &key {type: access_key, access_key_id: a, access_key_secret: b}\n    plans:\n")
	for i := range 10_000 {
		fmt.Fprintf(&text, "      - {id: dbs%d, name: plan %d, max_success_age: 26h}\n", i, i)
	}
	for i := range 1000 {
		fmt.Fprintf(&text, "  - {account: a%d, region_id: cn-hangzhou, credentials: *key, plans: [{id: dbsa}]}\n", i)
	}
	c := parse(t, text.String())
	if len(c.Targets) != 1001 || len(c.Targets[0].Plans) != 10_000 {
		t.Errorf("%d targets, %d plans", len(c.Targets), len(c.Targets[0].Plans))
	}
}

// Relative paths start from the directory of the file, wherever the process was
// started.
func TestPaths(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.yml")
	writeFile(t, path, with(t, secret, "      access_key_secret_file: keys/secret\n"))
	writeFile(t, filepath.Join(dir, "keys/secret"), secretMark+"\n")
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Targets[0].Credentials(issuer).Get(t.Context())
	if err != nil || got.AccessKeySecret() != secretMark {
		t.Errorf("secret is %q, error %v", got.AccessKeySecret(), err)
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "bad.yml"), "targets: []\n")
	fifo, large := filepath.Join(dir, "fifo"), filepath.Join(dir, "large.yml")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	writeFile(t, large, strings.Repeat("#", 4<<20+1))
	for _, tt := range []struct{ path, want string }{
		{"none.yml", "read configuration none.yml: no such file or directory; name another file with --config.file"},
		{dir, "read configuration " + dir + ": it is a directory; name another file with --config.file"},
		{dir + "/bad.yml", dir + "/bad.yml:1: targets: must have at least one element"},
		{"/dev/zero", "read configuration /dev/zero: it is not a regular file; name another file with --config.file"},
		{fifo, "read configuration " + fifo + ": it is not a regular file; name another file with --config.file"},
		{large, large + ":1: the file must not be larger than 4 MiB"},
	} {
		if _, err := config.Load(tt.path); err == nil || err.Error() != tt.want {
			t.Errorf("error of %s is\n%v, want\n%s", tt.path, err, tt.want)
		}
	}
}

// allSecrets has a marked secret wherever a configuration can have one.
const allSecrets = `
http_client:
  proxy_url: http://` + keyMark + `:` + secretMark + `@proxy.example:3128
targets:
  - account: key
    region_id: cn-hangzhou
    credentials: {type: access_key, access_key_id: ` + keyMark + `, access_key_secret: ` + secretMark + `}
    plans: [{id: dbsa}]
  - account: sts
    region_id: cn-hangzhou
    credentials: {type: sts, access_key_id: ` + keyMark + `, access_key_secret: ` + secretMark + `, security_token: ` + tokenMark + `}
    plans: [{id: dbsa}]
  - account: uri
    region_id: cn-hangzhou
    credentials: {type: credentials_uri, url: "http://127.0.0.1/` + tokenMark + `"}
    plans: [{id: dbsa}]
  - account: role
    region_id: cn-hangzhou
    plans: [{id: dbsa}]
    credentials:
      type: ram_role_arn
      role_arn: acs:ram::1:role/one
      source:
        type: ram_role_arn
        role_arn: acs:ram::1:role/two
        source: {type: sts, access_key_id: ` + keyMark + `, access_key_secret: ` + secretMark + `, security_token: ` + tokenMark + `}
`

// A configuration never shows a secret, however it is printed.
func TestPrintedConfigHidesSecrets(t *testing.T) {
	c := parse(t, allSecrets)
	values := map[string]any{"pointer": c, "value": *c, "HTTP client": c.HTTPClient, "targets": c.Targets}
	for i := range c.Targets {
		target := &c.Targets[i]
		values["target "+target.Account] = target
		values["credentials "+target.Account] = target.CredentialsBlock
		values["settings "+target.Account] = target.CredentialsBlock.Settings
	}
	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%t"} {
				holdsNoMark(t, fmt.Sprintf(verb, value))
			}
			holdsNoHexMark(t, fmt.Sprintf("%x", value))
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			holdsNoMark(t, string(text))
		})
	}
	text := printed(t, c)
	holdsNoMark(t, text)
	for _, want := range []string{
		"proxy_url: http://xxxxx@proxy.example:3128\n", "access_key_id: <secret>\n", "access_key_secret: <secret>\n",
		"security_token: <secret>\n", "url: <secret>\n", "role_arn: acs:ram::1:role/two\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
}

func holdsNoHexMark(t *testing.T, text string) {
	t.Helper()
	for _, mark := range []string{keyMark, secretMark, tokenMark} {
		if strings.Contains(text, fmt.Sprintf("%x", mark)) {
			t.Errorf("%s is in %s", mark, text)
		}
	}
}
