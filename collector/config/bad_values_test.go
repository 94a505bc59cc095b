package config_test

import (
	"strings"
	"testing"

	"aliyun_dbs_exporter/dbsapi"
)

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
		{
			"timeout over interval", good + "poll_timeout: 61s\n",
			"10: poll_timeout: must be more than 0s and at most poll_interval, 1m",
		},
		{
			"no timeout", good + "poll_timeout: 0s\n",
			"10: poll_timeout: must be more than 0s and at most poll_interval, 1m",
		},
		{
			"stale before the next poll", good + "stale_after: 30s\n",
			"10: stale_after: must be at least poll_interval, 1m; otherwise listings vanish between polls",
		},
		{
			"stale before the next idle poll", good + "stale_after: 5m\nidle_poll_interval: 6m\n",
			"10: stale_after: must be at least idle_poll_interval, 6m; otherwise listings vanish between polls",
		},
		{
			"idle more often than not", good + "idle_poll_interval: 30s\n",
			"10: idle_poll_interval: must be at least poll_interval, 1m",
		},
		{
			"full listings more often than polls", good + "full_listing_interval: 30s\n",
			"10: full_listing_interval: must be at least poll_interval, 1m; to read all tasks with every poll, set 0s",
		},
		{
			"stale at once", good + "stale_after: 0s\n",
			"10: stale_after: must be at least poll_interval, 1m; otherwise listings vanish between polls",
		},
		{
			"no series", good + "task_series:\n  max_per_plan: 0\n",
			"11: task_series.max_per_plan: must be at least 1" + noSeries,
		},
		{
			"no series in total", good + "task_series:\n  max_total: -1\n",
			"11: task_series.max_total: must be at least 1" + noSeries,
		},
		{
			"no age", good + "task_series:\n  completed_within: 0s\n",
			"11: task_series.completed_within: must be more than 0s" + noSeries,
		},
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
			"12: http_client.tls_config.ca_file: must be the path of a regular file of at most 1 MiB that can be read",
		},
		{
			"CA as a directory", http("  tls_config:\n    ca_file: .\n"),
			"12: http_client.tls_config.ca_file: must be the path of a regular file of at most 1 MiB that can be read",
		},
		{
			"CA without certificate", http("  tls_config:\n    ca_file: bad_test.go\n"),
			"11: http_client.tls_config: must name files with valid certificates and keys in PEM format",
		},
		{
			"SSL", http("  tls_config:\n    min_version: SSL3\n"),
			"12: http_client.tls_config.min_version: must be TLS12 or TLS13",
		},
		{
			"TLS 1.1", http("  tls_config:\n    min_version: TLS11\n"),
			"12: http_client.tls_config.min_version: must be TLS12 or TLS13",
		},
		{
			"no region", with(t, "region_id: cn-hangzhou", "account: a"),
			"3: targets[0].region_id: must be set, such as cn-hangzhou",
		},
		{
			"not a region", with(t, "cn-hangzhou", "Hangzhou!"),
			"3: targets[0].region_id: must be a region ID such as cn-hangzhou",
		},
		{
			"unknown network", after(t, region, "    network: internet\n"),
			"4: targets[0].network: must be public or vpc",
		},
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
		{
			"no rate", after(t, region, "    requests_per_second: 0\n"),
			"4: targets[0].requests_per_second: must be 0.001 to 1000",
		},
		{
			"not a rate", after(t, region, "    requests_per_second: .nan\n"),
			"4: targets[0].requests_per_second: must be 0.001 to 1000",
		},
		{
			"no concurrency", after(t, region, "    max_concurrent_requests: 0\n"),
			"4: targets[0].max_concurrent_requests: must be 1 to 64",
		},
		{
			"empty account", after(t, region, "    account: \"\"\n"),
			`4: targets[0].account: must have 1 to 256 bytes; remove the key to use "default"`,
		},
		{
			"target twice", good + strings.SplitAfterN(good, "\n", 3)[2],
			"10: targets[1]: has the account and region_id of the target on line 3; " +
				"combine their plans, or give the accounts different names",
		},
		{
			"no plans", with(t, "    plans:\n"+plan, ""),
			"3: targets[0].plans: must have at least one plan, unless discovery.enabled is true",
		},
		{
			"plan without ID", with(t, "id: dbsa", "name: a"),
			"9: targets[0].plans[0].id: must be set, such as dbsqhnuhyw3abcd",
		},
		{
			"two IDs in one", with(t, "id: dbsa", "id: dbsa,dbsb"),
			"9: targets[0].plans[0].id: must be the ID of one backup plan, such as dbsqhnuhyw3abcd",
		},
		{
			"plan twice", after(t, plan, "      - id: dbsb\n"+plan),
			"11: targets[0].plans[2].id: is the plan on line 9 again; remove one of the two",
		},
		{
			"no age of success", after(t, plan, "        max_success_age: 0s\n"),
			"10: targets[0].plans[0].max_success_age: must be more than 0s; remove the key for no limit",
		},
		{
			"name too long", after(t, plan, "        name: "+strings.Repeat("n", 257)+"\n"),
			"10: targets[0].plans[0].name: must have at most 256 bytes",
		},
	}
}

func badDiscovery(t testing.TB) []bad {
	discovery := func(keys string) string { return after(t, region, "    discovery: {"+keys+"}\n") }
	const path = "4: targets[0].discovery."
	return []bad{
		{"expression", discovery("include: 'a('"), path + "include: must be a regular expression such as prod-.*"},
		{
			"expression as a list", discovery("exclude: [a]"),
			path + "exclude: must be a regular expression such as prod-.*",
		},
		{
			"expression that is too large", discovery("include: '(((((a{100}){100}){100}){100}){100})'"),
			path + "include: must be a regular expression such as prod-.*",
		},
		{
			"no include", discovery("include: ''"),
			path + "include: must not be empty, which matches no plan; remove the key to match all",
		},
		{"too often", discovery("interval: 9s"), path + "interval: must be at least 10s; " + sharedQuota},
		{
			"gateways too often", after(t, region, "    gateways: {interval: 9s}\n"),
			"4: targets[0].gateways.interval: must be at least 10s; " + sharedQuota,
		},
		{
			"no status", discovery("statuses: []"),
			path + "statuses: must have at least one status; remove the key to use running",
		},
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
		{
			"no type", with(t, typeKey, ""),
			"5: " + path + "access_key_id: unknown key; the keys here are type (default); other types have more",
		},
		{
			"no key", with(t, keyID, ""),
			"4: " + path + "access_key_id: must be set for type access_key, or access_key_id_file",
		},
		{
			"no secret", with(t, secret, ""),
			"4: " + path + "access_key_secret: must be set for type access_key, or access_key_secret_file",
		},
		{
			"empty secret", with(t, secretMark, ""),
			"7: " + path + "access_key_secret: must be set for type access_key, or access_key_secret_file",
		},
		{
			"secret twice", after(t, secret, "      access_key_secret_file: bad_test.go\n"),
			"7: " + path + "access_key_secret: must not be set together with access_key_secret_file; remove one of the two",
		},
		{
			"token of a key", after(t, secret, "      security_token: "+tokenMark+"\n"),
			"8: " + path + "security_token: " + accessKeyKeys,
		},
		{
			"no token", with(t, "type: access_key", "type: sts"),
			"4: " + path + "security_token: must be set for type sts, or security_token_file",
		},
		{
			"secret instead of its file", with(t, "secret: ", "secret_file: "),
			"7: " + path + "access_key_secret_file: must be the path of a file with one secret: no such file or directory",
		},
		{
			"directory instead of a file", with(t, "secret: "+secretMark, "secret_file: ."),
			"7: " + path + "access_key_secret_file: must be the path of a file with one secret: it is not a regular file",
		},
		{
			"no role", credentials("      type: ram_role_arn\n"),
			"4: " + path + "role_arn: must be set for type ram_role_arn",
		},
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
		{
			"no URL", credentials("      type: credentials_uri\n"),
			"4: " + path + "url: must be set for type credentials_uri, or url_file",
		},
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
