package credentials_test

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

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
		{"ini ram_role_arn", ini("type = ram_role_arn\nrole_arn = " + readerRole + "\nrole_session_name = test\npolicy = {}\n"), change(assumed, "Policy", "{}"), ""},
		{"ini ecs_ram_role", ini("type = ecs_ram_role\nrole_name = reader\n"), url.Values{}, ""},
		{"ini without a type", ini(""), nil, "default chain: no source has credentials (environment: not there; credentials file: the profile is not there or lacks a key)"},
		{"invalid ini", ini("[[["), nil, "default chain: no source has credentials (environment: not there; credentials file: the file is not readable)"},
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
				c := credentials.NewClient("test", credentials.NewTransport(credentials.Options{
					TLS: &tls.Config{RootCAs: testRoots(), ServerName: "example.com", MinVersion: tls.VersionTLS12}, Dial: n.dial,
				}))
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

// A CLI configuration that is half set up does not give the exporter the identity
// of the next source, which it would keep when the profile is complete.
func TestHalfSetCLIProfile(t *testing.T) {
	without := func(mode, member string) string {
		p := map[string]any{
			"name": "a", "mode": mode, "access_key_id": "cli-key", "access_key_secret": secretMark, "sts_token": "x",
			"ram_role_arn": podRole, "oidc_provider_arn": provider, "oidc_token_file": "/token",
		}
		delete(p, member)
		return cli(p)
	}
	const half, cliKeys, iniKeys = "the profile is not there or lacks a key", "cli-key", "ini-key"
	unconfigured := cliKey("default")
	unconfigured["access_key_id"], unconfigured["access_key_secret"] = "", ""
	unconfigured["region_id"], unconfigured["output_format"], unconfigured["language"] = "cn-hangzhou", "json", "en"
	named := maps.Clone(unconfigured)
	named["name"] = "a"
	for name, tt := range map[string]struct{ text, first, then string }{
		"AK without key ID":             {without("AK", "access_key_id"), half, cliKeys},
		"AK without secret":             {without("AK", "access_key_secret"), half, cliKeys},
		"AK without keys":               {cli(named), half, cliKeys},
		"StsToken without token":        {without("StsToken", "sts_token"), half, cliKeys},
		"RamRoleArn without role":       {without("RamRoleArn", "ram_role_arn"), half, cliKeys},
		"OIDC without token file":       {without("OIDC", "oidc_token_file"), half, cliKeys},
		"OIDC without provider":         {without("OIDC", "oidc_provider_arn"), half, cliKeys},
		"role without source":           {without("ChainableRamRoleArn", ""), half, cliKeys},
		"no mode":                       {without("", ""), half, cliKeys},
		"mode that nobody knows":        {without("Ak", ""), "the profile's mode is not supported", cliKeys},
		"no profiles":                   {`{"current":"a","profiles":[]}`, half, cliKeys},
		"profiles are null":             {`{"current":"a","profiles":null}`, half, cliKeys},
		"empty object":                  {`{}`, half, cliKeys},
		"default before it is set up":   {cli(unconfigured), iniKeys, iniKeys},
		"profile that needs somebody":   {without("CloudSSO", ""), iniKeys, iniKeys},
		"profile that runs a command":   {without("External", ""), iniKeys, iniKeys},
		"profile that rewrites itself":  {without("OAuth", ""), iniKeys, iniKeys},
		"profile that builds on itself": {cli(map[string]any{"name": "a", "mode": "ChainableRamRoleArn", "source_profile": "a", "ram_role_arn": podRole}), iniKeys, iniKeys},
	} {
		t.Run(name, func(t *testing.T) {
			home := chainHome(t)
			put(t, home, ".aliyun/config.json", tt.text)
			put(t, home, ".alibabacloud/credentials", "[default]\ntype = access_key\naccess_key_id = ini-key\naccess_key_secret = x\n")
			c := newClient()
			for _, want := range []string{tt.first, tt.then} {
				cred, err := c.Default().Get(t.Context())
				if err != nil {
					if want = "default chain: no source has credentials (environment: not there; CLI profile: " + want + ")"; err.Error() != want {
						t.Errorf("%v, want %s", err, want)
					}
				} else if cred.AccessKeyID() != want {
					t.Errorf("got %s, want %s", cred.AccessKeyID(), want)
				}
				put(t, home, ".aliyun/config.json", cli(cliKey("a")))
			}
		})
	}
}
