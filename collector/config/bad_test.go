package config_test

import (
	"errors"
	"strings"
	"testing"

	"aliyun_dbs_exporter/collector/config"
)

// bad is a configuration with one mistake, and the error that it must get.
type bad struct{ name, text, want string }

// Parts of the errors below.
const (
	noSeries    = "; to export no task series, set task_series.enabled: false"
	sharedQuota = "the API's quota is shared by the whole account"

	topKeys = "unknown key; the keys here are poll_interval, poll_timeout, stale_after, idle_poll_interval, " +
		"full_listing_interval, task_series, http_client, targets"
	targetKeys = "unknown key; the keys here are account, region_id, network, endpoint, requests_per_second, " +
		"max_concurrent_requests, credentials, plans, discovery, gateways"
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
		{
			"alias without anchor", "targets:\n  - credentials: *" + secretMark + "\n",
			"2: an alias (*) has no anchor (&); put quotes around text that starts with *",
		},
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
		{
			"binary secret", with(t, secretMark, "!!binary "+secretMark),
			"7: targets[0].credentials.access_key_secret: " + noTags,
		},
		{
			"tag", after(t, region, "    requests_per_second: !!int "+secretMark+"\n"),
			"4: targets[0].requests_per_second: " + noTags,
		},
		{"tag of our own", with(t, "dbsa", "!"+secretMark+" a"), "9: targets[0].plans[0].id: " + noTags},
		{"control character", with(t, "dbsa", `"dbsa\a"`), "9: targets[0].plans[0].id: " + control},
		{"line break in a name", after(t, region, "    account: \"a\\nb\"\n"), "4: targets[0].account: " + control},
		{
			"line break after a secret", with(t, secretMark, "|\n        "+secretMark),
			"7: targets[0].credentials.access_key_secret: " + control,
		},
		{"merge key", "<<: {poll_interval: 1m}\n" + good, "1: " + noMerge},
		{"merge key of a target", after(t, region, "    <<: {account: a}\n"), "4: targets[0]: " + noMerge},
		{"secret for a key", after(t, region, "    "+keyMark+": x\n"), "4: targets[0]: " + notAKey},
		{"list for a key", after(t, region, "    [a]: x\n"), "4: targets[0]: " + notAKey},
		{"null for a key", after(t, region, "    null: x\n"), "4: targets[0]: " + notAKey},
		{"binary for a key", after(t, region, "    !!binary abcd: x\n"), "4: targets[0]: " + notAKey},
		{"alias for a key", after(t, region, "    account: &a network\n    *a : vpc\n"), "5: targets[0]: " + notAKey},
		{
			"key twice", good + "poll_interval: 2m\n",
			"10: poll_interval: is set twice, first on line 1; remove one of the two",
		},
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
		{
			"deep list", "targets: " + strings.Repeat("[", 20) + strings.Repeat("]", 20),
			"1: targets" + strings.Repeat("[0]", 16) + ": " + tooDeep,
		},
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
			"unknown key of gateways", after(t, region, "    gateways: {enable: true}\n"),
			"4: targets[0].gateways.enable: unknown key; the keys here are enabled, interval",
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
		{"gateways as text", after(t, region, "    gateways: true\n"), "4: targets[0].gateways: must be a block of keys"},
		{
			"statuses as text", after(t, region, "    discovery: {statuses: running}\n"),
			"4: targets[0].discovery.statuses: must be a list",
		},
		{
			"credentials as text", with(t, "credentials:\n"+block, "credentials: "+secretMark+"\n"),
			"4: targets[0].credentials: must be a block of keys",
		},
		{
			"secret as a list", with(t, secretMark, "["+secretMark+"]"),
			"7: targets[0].credentials.access_key_secret: must be text",
		},
		{
			"secret as a block", with(t, secretMark, "{a: "+secretMark+"}"),
			"7: targets[0].credentials.access_key_secret: must be text",
		},
		{
			"account as a list", after(t, region, "    account: ["+secretMark+"]\n"),
			"4: targets[0].account: must be text",
		},
		{"network as a block", after(t, region, "    network: {a: b}\n"), "4: targets[0].network: must be text"},
		{
			"count with a fraction", good + "task_series:\n  max_total: 1.5\n",
			"11: task_series.max_total: must be a whole number",
		},
		{
			"count as text", good + "task_series:\n  max_total: many\n",
			"11: task_series.max_total: must be a whole number",
		},
		{
			"count that is too large", good + "task_series:\n  max_total: 99999999999999999999\n",
			"11: task_series.max_total: must be a whole number",
		},
		{
			"neither on nor off", good + "task_series:\n  enabled: maybe\n",
			"11: task_series.enabled: must be true or false",
		},
		{
			"rate as text", after(t, region, "    requests_per_second: "+secretMark+"\n"),
			"4: targets[0].requests_per_second: must be a number",
		},
	}
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
