package config_test

import (
	"errors"
	"strings"
	"testing"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/dbsapi"
)

// bad is a configuration with one mistake, and the error that it must get.
type bad struct{ name, text, want string }

// Parts of the errors below.
const (
	noSeries    = "; to export no task series, set task_series.enabled: false"
	sharedQuota = "the API's quota is shared by the whole account"

	topKeys    = "unknown key; the keys here are poll_interval, poll_timeout, stale_after, task_series, http_client, targets"
	targetKeys = "unknown key; the keys here are account, region_id, network, endpoint, requests_per_second, " +
		"max_concurrent_requests, credentials, plans, discovery"
	accessKeyKeys = "unknown key; the keys here are type (access_key), access_key_id, access_key_id_file, " +
		"access_key_secret, access_key_secret_file"

	notAKey = "has text that cannot be a key; check its spelling and indentation"
	noTags  = "must be plain text; YAML tags such as !!binary are not supported"
	noMerge = "merge keys (<<) are not supported; repeat the keys, or use one alias for the whole block"
	tooDeep = "must not be nested this deep; look for an alias inside its own block"
	tooMany = "the aliases of the file stand for more than 10,000 values; write out some of them"
	control = "must not contain line breaks or other control characters"
	noValue = "must not be empty; remove the dash or give it a value"
)

// badFiles are mistakes in the YAML text.
func badFiles(t testing.TB) []bad {
	const empty = "the file is empty; start from config.example.yml"
	return []bad{
		{"empty", "", "1: " + empty},
		{"comments only", "# nothing\n\n", "1: " + empty},
		{"no content", "---\n", "1: " + empty},
		{"null", "~\n", "1: " + empty},
		{
			"second document", good + "---\nfoo: bar\n",
			"1: the file has more than one document; remove what follows the second ---",
		},
		{"not YAML", "targets: [\n", "2: is not valid YAML: did not find expected node content"},
		{"tab", "targets:\n\t- region_id: x\n", "2: is not valid YAML: found character that cannot start any token"},
		{"secret in bad YAML", "targets:\n  - credentials: *" + secretMark + "\n", "2: is not valid YAML"},
		{
			"secret in unclosed text", "a: \"" + secretMark + "\nb: c\n",
			"3: is not valid YAML: found unexpected end of stream",
		},
		{"invalid UTF-8", with(t, "dbsa", "\xff"), "9: the file must be UTF-8 text"},
		{"UTF-16", "\xff\xfea\x00:\x00 \x00b\x00", "1: the file must be UTF-8 text"},
		{"too large", good + strings.Repeat("#", 4<<20), "1: the file must not be larger than 4 MiB"},
		{"text", secretMark, "1: must be a block of keys"},
		{"list", "- a\n", "1: must be a block of keys"},
		{"binary value", with(t, "dbsa", "!!binary //79"), "9: targets[0].plans[0].id: " + noTags},
		{"binary secret", with(t, secretMark, "!!binary "+secretMark), "7: targets[0].credentials.access_key_secret: " + noTags},
		{"tag", after(t, region, "    requests_per_second: !!int "+secretMark+"\n"), "4: targets[0].requests_per_second: " + noTags},
		{"tag of our own", with(t, "dbsa", "!"+secretMark+" a"), "9: targets[0].plans[0].id: " + noTags},
		{"control character", with(t, "dbsa", `"dbsa\a"`), "9: targets[0].plans[0].id: " + control},
		{"line break in a name", after(t, region, "    account: \"a\\nb\"\n"), "4: targets[0].account: " + control},
		{"line break after a secret", with(t, secretMark, "|\n        "+secretMark), "7: targets[0].credentials.access_key_secret: " + control},
		{"merge key", "<<: {poll_interval: 1m}\n" + good, "1: " + noMerge},
		{"merge key of a target", after(t, region, "    <<: {account: a}\n"), "4: targets[0]: " + noMerge},
		{"secret for a key", after(t, region, "    "+keyMark+": x\n"), "4: targets[0]: " + notAKey},
		{"list for a key", after(t, region, "    [a]: x\n"), "4: targets[0]: " + notAKey},
		{"null for a key", after(t, region, "    null: x\n"), "4: targets[0]: " + notAKey},
		{"binary for a key", after(t, region, "    !!binary abcd: x\n"), "4: targets[0]: " + notAKey},
		{"alias for a key", after(t, region, "    account: &a network\n    *a : vpc\n"), "5: targets[0]: " + notAKey},
		{"key twice", good + "poll_interval: 2m\n", "10: poll_interval: is set twice, first on line 1; remove one of the two"},
		{
			"key of a target twice", after(t, region, "    region_id: cn-beijing\n"),
			"4: targets[0].region_id: is set twice, first on line 3; remove one of the two",
		},
		{"empty target", "targets:\n  -\n", "2: targets[0]: " + noValue},
		{"empty plan", after(t, plan, "      - ~\n"), "10: targets[0].plans[1]: " + noValue},
		{
			"block that holds itself", "targets:\n  - credentials: &a\n      type: ram_role_arn\n      role_arn: r\n      source: *a\n",
			"5: targets[0].credentials.source: " + tooDeep,
		},
		{"list that holds itself", "targets: &a [*a]\n", "1: targets[0]: " + tooDeep},
		{"deep list", "targets: " + strings.Repeat("[", 20) + strings.Repeat("]", 20), "1: targets" + strings.Repeat("[0]", 16) + ": " + tooDeep},
		{
			"a billion laughs", "poll_interval: &a [x, x, x, x, x, x, x, x, x, x]\npoll_timeout: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n" +
				"stale_after: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\ntask_series: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n" +
				"http_client: [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n",
			"4: task_series[7]: " + tooMany,
		},
	}
}

// badBlocks are mistakes in the form of blocks, keys and values.
func badBlocks(t testing.TB) []bad {
	return []bad{
		{"unknown key", "poll_intervall: 1m\n" + good, "1: poll_intervall: " + topKeys},
		{"unknown key of a target", after(t, region, "    region: x\n"), "4: targets[0].region: " + targetKeys},
		{
			"unknown key of a plan", after(t, plan, "        max_age: 1h\n"),
			"10: targets[0].plans[0].max_age: unknown key; the keys here are id, name, max_success_age",
		},
		{
			"unknown key of discovery", after(t, region, "    discovery: {status: running}\n"),
			"4: targets[0].discovery.status: unknown key; the keys here are enabled, interval, include, exclude, statuses",
		},
		{
			"unknown key of series", good + "task_series:\n  max: 1\n",
			"11: task_series.max: unknown key; the keys here are enabled, completed_within, max_per_plan, max_total",
		},
		{
			"unknown key of HTTP", good + "http_client:\n  bearer_token: " + secretMark + "\n",
			"11: http_client.bearer_token: unknown key; the keys here are proxy_url, no_proxy, proxy_from_environment, tls_config",
		},
		{
			"verification off", good + "http_client:\n  tls_config:\n    insecure_skip_verify: true\n",
			"12: http_client.tls_config.insecure_skip_verify: " +
				"unknown key; the keys here are ca_file, cert_file, key_file, server_name, min_version",
		},
		{"no targets", "poll_interval: 1m\n", "1: targets: must have at least one element"},
		{"empty targets", "poll_interval: 1m\ntargets: []\n", "2: targets: must have at least one element"},
		{"targets as text", "targets: " + secretMark + "\n", "1: targets: must be a list"},
		{"targets as a block", "targets:\n  region_id: " + secretMark + "\n", "1: targets: must be a list"},
		{"target as text", "targets:\n  - " + secretMark + "\n", "2: targets[0]: must be a block of keys"},
		{"series as a list", good + "task_series: []\n", "10: task_series: must be a block of keys"},
		{"plans as text", with(t, "\n"+plan, " "+secretMark+"\n"), "8: targets[0].plans: must be a list"},
		{"plan as text", with(t, "id: dbsa", "dbsa"), "9: targets[0].plans[0]: must be a block of keys"},
		{"statuses as text", after(t, region, "    discovery: {statuses: running}\n"), "4: targets[0].discovery.statuses: must be a list"},
		{"credentials as text", with(t, "credentials:\n"+block, "credentials: "+secretMark+"\n"), "4: targets[0].credentials: must be a block of keys"},
		{"secret as a list", with(t, secretMark, "["+secretMark+"]"), "7: targets[0].credentials.access_key_secret: must be text"},
		{"secret as a block", with(t, secretMark, "{a: "+secretMark+"}"), "7: targets[0].credentials.access_key_secret: must be text"},
		{"account as a list", after(t, region, "    account: ["+secretMark+"]\n"), "4: targets[0].account: must be text"},
		{"network as a block", after(t, region, "    network: {a: b}\n"), "4: targets[0].network: must be text"},
		{"count with a fraction", good + "task_series:\n  max_total: 1.5\n", "11: task_series.max_total: must be a whole number"},
		{"count as text", good + "task_series:\n  max_total: many\n", "11: task_series.max_total: must be a whole number"},
		{"count that is too large", good + "task_series:\n  max_total: 99999999999999999999\n", "11: task_series.max_total: must be a whole number"},
		{"neither on nor off", good + "task_series:\n  enabled: maybe\n", "11: task_series.enabled: must be true or false"},
		{"rate as text", after(t, region, "    requests_per_second: "+secretMark+"\n"), "4: targets[0].requests_per_second: must be a number"},
	}
}

// badValues are values that make no sense, alone or together.
func badValues(t testing.TB) []bad {
	const wantDuration = "must be a duration such as 30s, 5m or 1d"
	http := func(lines string) string { return good + "http_client:\n" + lines }
	const wantProxy = "11: http_client.proxy_url: must be a URL such as http://proxy.example:3128"
	return []bad{
		{"interval without unit", with(t, "1m", "60"), "1: poll_interval: " + wantDuration},
		{"interval as a list", with(t, "1m", "[1m]"), "1: poll_interval: " + wantDuration},
		{"negative interval", with(t, "1m", "-1m"), "1: poll_interval: " + wantDuration},
		{"interval of centuries", with(t, "1m", "999999y"), "1: poll_interval: " + wantDuration},
		{"interval too short", with(t, "1m", "999ms"), "1: poll_interval: must be at least 1s; " + sharedQuota},
		{"timeout over interval", good + "poll_timeout: 61s\n", "10: poll_timeout: must be more than 0s and at most poll_interval, 1m"},
		{"no timeout", good + "poll_timeout: 0s\n", "10: poll_timeout: must be more than 0s and at most poll_interval, 1m"},
		{
			"stale before the next poll", good + "stale_after: 30s\n",
			"10: stale_after: must be at least poll_interval, 1m; otherwise listings vanish between polls",
		},
		{
			"stale at once", good + "stale_after: 0s\n",
			"10: stale_after: must be at least poll_interval, 1m; otherwise listings vanish between polls",
		},
		{"no series", good + "task_series:\n  max_per_plan: 0\n", "11: task_series.max_per_plan: must be at least 1" + noSeries},
		{"no series in total", good + "task_series:\n  max_total: -1\n", "11: task_series.max_total: must be at least 1" + noSeries},
		{"no age", good + "task_series:\n  completed_within: 0s\n", "11: task_series.completed_within: must be more than 0s" + noSeries},
		{"proxy that is no URL", http("  proxy_url: '::" + secretMark + "'\n"), wantProxy},
		{"proxy without scheme", http("  proxy_url: " + secretMark + ":3128\n"), wantProxy},
		{"proxy without host", http("  proxy_url: http://:3128\n"), wantProxy},
		{"SOCKS proxy", http("  proxy_url: socks5://proxy.example:1080\n"), wantProxy},
		{
			"two proxies", http("  proxy_url: http://p:1\n  proxy_from_environment: true\n"),
			"12: http_client.proxy_from_environment: must not be combined with proxy_url or no_proxy; remove one of them",
		},
		{"no_proxy alone", http("  no_proxy: x\n"), "11: http_client.no_proxy: needs proxy_url"},
		{
			"certificate without key", http("  tls_config:\n    cert_file: bad_test.go\n"),
			"11: http_client.tls_config: must have both cert_file and key_file, or neither",
		},
		{
			"no such CA", http("  tls_config:\n    ca_file: " + secretMark + "\n"),
			"12: http_client.tls_config.ca_file: must be the path of a file that can be read",
		},
		{
			"CA as a directory", http("  tls_config:\n    ca_file: .\n"),
			"12: http_client.tls_config.ca_file: must be the path of a file that can be read",
		},
		{
			"CA without certificate", http("  tls_config:\n    ca_file: bad_test.go\n"),
			"11: http_client.tls_config: must name files with valid certificates and keys in PEM format",
		},
		{"SSL", http("  tls_config:\n    min_version: SSL3\n"), "12: http_client.tls_config.min_version: must be TLS12 or TLS13"},
		{"TLS 1.1", http("  tls_config:\n    min_version: TLS11\n"), "12: http_client.tls_config.min_version: must be TLS12 or TLS13"},
		{"no region", with(t, "region_id: cn-hangzhou", "account: a"), "3: targets[0].region_id: must be set, such as cn-hangzhou"},
		{"not a region", with(t, "cn-hangzhou", "Hangzhou!"), "3: targets[0].region_id: must be a region ID such as cn-hangzhou"},
		{"unknown network", after(t, region, "    network: internet\n"), "4: targets[0].network: must be public or vpc"},
		{
			"unknown region", with(t, "cn-hangzhou", "xx-new"),
			"3: targets[0].region_id: " + endpointProblem("xx-new", dbsapi.NetworkPublic) + "; set endpoint if the region is new",
		},
		{
			"region without VPC endpoint", with(t, "cn-hangzhou", "me-east-1\n    network: vpc"),
			"3: targets[0].region_id: " + endpointProblem("me-east-1", dbsapi.NetworkVPC) + "; set endpoint if the region is new",
		},
		{
			"endpoint without TLS", after(t, region, "    endpoint: http://dbs.example\n"),
			"4: targets[0].endpoint: " + parseProblem("http://dbs.example"),
		},
		{
			"password in the endpoint", after(t, region, "    endpoint: https://u:"+secretMark+"@dbs.example\n"),
			"4: targets[0].endpoint: " + parseProblem("https://u:p@dbs.example"),
		},
		{"no rate", after(t, region, "    requests_per_second: 0\n"), "4: targets[0].requests_per_second: must be more than 0 and at most 1000"},
		{"not a rate", after(t, region, "    requests_per_second: .nan\n"), "4: targets[0].requests_per_second: must be more than 0 and at most 1000"},
		{"no concurrency", after(t, region, "    max_concurrent_requests: 0\n"), "4: targets[0].max_concurrent_requests: must be 1 to 64"},
		{
			"empty account", after(t, region, "    account: \"\"\n"),
			`4: targets[0].account: must have 1 to 256 bytes; remove the key to use "default"`,
		},
		{
			"target twice", good + strings.SplitAfterN(good, "\n", 3)[2],
			"10: targets[1]: has the account and region_id of the target on line 3; " +
				"combine their plans, or give the accounts different names",
		},
		{"no plans", with(t, "    plans:\n"+plan, ""), "3: targets[0].plans: must have at least one plan, unless discovery.enabled is true"},
		{"plan without ID", with(t, "id: dbsa", "name: a"), "9: targets[0].plans[0].id: must be set, such as dbsqhnuhyw3abcd"},
		{
			"two IDs in one", with(t, "id: dbsa", "id: dbsa,dbsb"),
			"9: targets[0].plans[0].id: must be the ID of one backup plan, such as dbsqhnuhyw3abcd",
		},
		{
			"plan twice", after(t, plan, "      - id: dbsb\n"+plan),
			"11: targets[0].plans[2].id: is the plan on line 9 again; remove one of the two",
		},
		{"no age of success", after(t, plan, "        max_success_age: 0s\n"), "10: targets[0].plans[0].max_success_age: must be more than 0s; remove the key for no limit"},
		{"name too long", after(t, plan, "        name: "+strings.Repeat("n", 257)+"\n"), "10: targets[0].plans[0].name: must have at most 256 bytes"},
	}
}

func badDiscovery(t testing.TB) []bad {
	discovery := func(keys string) string { return after(t, region, "    discovery: {"+keys+"}\n") }
	const path = "4: targets[0].discovery."
	return []bad{
		{"expression", discovery("include: 'a('"), path + "include: must be a regular expression such as prod-.*"},
		{"expression as a list", discovery("exclude: [a]"), path + "exclude: must be a regular expression such as prod-.*"},
		{"expression that is too large", discovery("include: '(((((a{100}){100}){100}){100}){100})'"), path + "include: must be a regular expression such as prod-.*"},
		{"no include", discovery("include: ''"), path + "include: must not be empty, which matches no plan; remove the key to match all"},
		{"too often", discovery("interval: 9s"), path + "interval: must be at least 10s; " + sharedQuota},
		{"no status", discovery("statuses: []"), path + "statuses: must have at least one status; remove the key to use running"},
		{
			"unknown status", discovery("statuses: [running, finish]"),
			path + "statuses[1]: must be one of wait, init, running, stop, pause, locked, check_pass, unknown",
		},
	}
}

func badCredentials(t testing.TB) []bad {
	credentials := func(keys string) string { return with(t, block, keys) }
	const path = "targets[0].credentials."
	return []bad{
		{
			"unknown type", with(t, "type: access_key", "type: "+secretMark),
			"5: " + path + "type: must be default, access_key, sts, ram_role_arn, ecs_ram_role, oidc_role_arn or credentials_uri",
		},
		{"type as a list", with(t, "type: access_key", "type: [access_key]"), "5: " + path + "type: must be text"},
		{"no type", with(t, typeKey, ""), "5: " + path + "access_key_id: unknown key; the keys here are type (default); other types have more"},
		{"no key", with(t, keyID, ""), "4: " + path + "access_key_id: must be set for type access_key, or access_key_id_file"},
		{"no secret", with(t, secret, ""), "4: " + path + "access_key_secret: must be set for type access_key, or access_key_secret_file"},
		{"empty secret", with(t, secretMark, ""), "7: " + path + "access_key_secret: must be set for type access_key, or access_key_secret_file"},
		{
			"secret twice", after(t, secret, "      access_key_secret_file: bad_test.go\n"),
			"7: " + path + "access_key_secret: must not be set together with access_key_secret_file; remove one of the two",
		},
		{"token of a key", after(t, secret, "      security_token: "+tokenMark+"\n"), "8: " + path + "security_token: " + accessKeyKeys},
		{"no token", with(t, "type: access_key", "type: sts"), "4: " + path + "security_token: must be set for type sts, or security_token_file"},
		{
			"secret instead of its file", with(t, "secret: ", "secret_file: "),
			"7: " + path + "access_key_secret_file: must be the path of a file with one secret: no such file or directory",
		},
		{
			"directory instead of a file", with(t, "secret: "+secretMark, "secret_file: ."),
			"7: " + path + "access_key_secret_file: must be the path of a file with one secret: it is not a regular file",
		},
		{"no role", credentials("      type: ram_role_arn\n"), "4: " + path + "role_arn: must be set for type ram_role_arn"},
		{
			"session too short", credentials("      type: ram_role_arn\n      role_arn: r\n      session_duration: 14m\n"),
			"7: " + path + "session_duration: must be 15m to 12h",
		},
		{
			"no session", credentials("      type: ram_role_arn\n      role_arn: r\n      session_duration: 0s\n"),
			"7: " + path + "session_duration: must be 15m to 12h",
		},
		{
			"STS URL", credentials("      type: ram_role_arn\n      role_arn: r\n      sts_endpoint: https://sts.example\n"),
			"7: " + path + "sts_endpoint: must be a host or host:port, without scheme or path",
		},
		{
			"mistake in the source", credentials("      type: ram_role_arn\n      role_arn: r\n      source:\n        type: access_key\n"),
			"7: " + path + "source.access_key_id: must be set for type access_key, or access_key_id_file",
		},
		{
			"unknown key in the source", credentials("      type: ram_role_arn\n      role_arn: r\n      source:\n        role: x\n"),
			"8: " + path + "source.role: unknown key; the keys here are type (default); other types have more",
		},
		{
			"no provider", credentials("      type: oidc_role_arn\n      role_arn: r\n"),
			"4: " + path + "oidc_provider_arn: must be set for type oidc_role_arn",
		},
		{
			"no OIDC token", credentials("      type: oidc_role_arn\n      role_arn: r\n      oidc_provider_arn: p\n"),
			"4: " + path + "oidc_token_file: must be set for type oidc_role_arn",
		},
		{
			"no such OIDC token", credentials("      type: oidc_role_arn\n      role_arn: r\n      oidc_provider_arn: p\n      oidc_token_file: none\n"),
			"8: " + path + "oidc_token_file: must be the path of a file with one secret: no such file or directory",
		},
		{
			"source of an ECS role", credentials("      type: ecs_ram_role\n      source: {}\n"),
			"6: " + path + "source: unknown key; the keys here are type (ecs_ram_role), role_name, disable_imds_v1",
		},
		{"no URL", credentials("      type: credentials_uri\n"), "4: " + path + "url: must be set for type credentials_uri, or url_file"},
	}
}

// The words about endpoints are those of dbsapi.

func endpointProblem(region string, network dbsapi.Network) string {
	_, err := dbsapi.Endpoint(region, network)
	return err.Error()
}

func parseProblem(endpoint string) string {
	_, err := dbsapi.ParseEndpoint(endpoint)
	return err.Error()
}

func TestBadConfig(t *testing.T) {
	for group, tests := range badConfigs(t) {
		for _, tt := range tests {
			t.Run(group+"/"+tt.name, func(t *testing.T) {
				_, err := config.Parse([]byte(tt.text), "test.yml")
				if want := "test.yml:" + tt.want; err == nil || err.Error() != want {
					t.Fatalf("error is\n%v, want\n%s", err, want)
				}
				if _, ok := errors.AsType[*config.Error](err); !ok {
					t.Errorf("error is a %T", err)
				}
				holdsNoMark(t, err.Error())
			})
		}
	}
}

func badConfigs(t testing.TB) map[string][]bad {
	return map[string][]bad{
		"file": badFiles(t), "block": badBlocks(t), "value": badValues(t),
		"discovery": badDiscovery(t), "credentials": badCredentials(t),
	}
}

func holdsNoMark(t testing.TB, text string) {
	t.Helper()
	for _, mark := range []string{keyMark, secretMark, tokenMark} {
		if strings.Contains(text, mark) {
			t.Errorf("%s is in\n%s", mark, text)
		}
	}
}
