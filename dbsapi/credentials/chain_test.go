package credentials_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// chainHome gives the default chain an empty environment and home, without a
// metadata service.
func chainHome(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	for _, name := range []string{
		"ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN", "ROLE_ARN", "ROLE_SESSION_NAME", "OIDC_PROVIDER_ARN", "OIDC_TOKEN_FILE",
		"CONFIG_FILE", "PROFILE", "CLI_PROFILE_DISABLED", "CREDENTIALS_FILE", "ECS_METADATA", "CREDENTIALS_URI",
	} {
		t.Setenv("ALIBABA_CLOUD_"+name, "")
		os.Unsetenv("ALIBABA_CLOUD_" + name)
	}
	t.Setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
	t.Setenv("HOME", home)
	return home
}

// put writes a file below the home.
func put(t *testing.T, home, name, text string) {
	t.Helper()
	path := filepath.Join(home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// cli is a configuration of the aliyun CLI.
func cli(profiles ...map[string]any) string {
	text, err := json.Marshal(map[string]any{"current": profiles[0]["name"], "profiles": profiles})
	if err != nil {
		panic(err)
	}
	return string(text)
}

func cliKey(name string) map[string]any {
	return map[string]any{"name": name, "mode": "AK", "access_key_id": "cli-key", "access_key_secret": secretMark}
}

// The first source of the chain that has credentials gives them.
func TestDefaultChain(t *testing.T) {
	const ini = "[default]\ntype = access_key\naccess_key_id = ini-key\naccess_key_secret = " + secretMark + "\n"
	environment := func(t *testing.T, _ string) {
		t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "env-key")
		t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", secretMark)
	}
	oneProfile := func(p map[string]any) func(*testing.T, string) {
		return func(t *testing.T, home string) { put(t, home, ".aliyun/config.json", cli(p)) }
	}
	iniFile := func(t *testing.T, home string) { put(t, home, ".alibabacloud/credentials", ini) }
	uri := func(t *testing.T, _ string) { t.Setenv("ALIBABA_CLOUD_CREDENTIALS_URI", "http://"+uriHost+"/") }
	const noSource = "default chain: no source has credentials (environment: not there; "
	ran := filepath.Join(t.TempDir(), "ran")
	tests := []struct {
		name string
		set  []func(*testing.T, string)
		key  string // or its beginning
		err  string
	}{
		{"environment", []func(*testing.T, string){environment, oneProfile(cliKey("a")), iniFile}, "env-key", ""},
		{"session in the environment", []func(*testing.T, string){environment, func(t *testing.T, _ string) { t.Setenv("ALIBABA_CLOUD_SECURITY_TOKEN", "x") }}, "env-key", ""},
		{"CLI profile", []func(*testing.T, string){oneProfile(cliKey("a")), iniFile}, "cli-key", ""},
		{"named CLI profile", []func(*testing.T, string){func(t *testing.T, home string) {
			other := cliKey("b")
			other["access_key_id"] = "b-key"
			put(t, home, "elsewhere.json", cli(cliKey("a"), other))
			t.Setenv("ALIBABA_CLOUD_CONFIG_FILE", filepath.Join(home, "elsewhere.json"))
			t.Setenv("ALIBABA_CLOUD_PROFILE", "b")
		}}, "b-key", ""},
		{"CLI profile that runs a command", []func(*testing.T, string){
			oneProfile(map[string]any{"name": "a", "mode": "External", "process_command": "touch " + ran}), iniFile,
		}, "ini-key", ""},
		{"CLI profile that is rewritten", []func(*testing.T, string){oneProfile(map[string]any{"name": "a", "mode": "OAuth"}), iniFile}, "ini-key", ""},
		{"CLI profile on one that runs a command", []func(*testing.T, string){func(t *testing.T, home string) {
			put(t, home, ".aliyun/config.json", cli(
				map[string]any{"name": "a", "mode": "ChainableRamRoleArn", "source_profile": "b", "ram_role_arn": readerRole, "ram_session_name": "test"},
				map[string]any{"name": "b", "mode": "External", "process_command": "touch " + ran},
			))
		}, iniFile}, "ini-key", ""},
		{"CLI profile on itself", []func(*testing.T, string){
			oneProfile(map[string]any{"name": "a", "mode": "ChainableRamRoleArn", "source_profile": "a", "ram_role_arn": readerRole, "ram_session_name": "test"}), iniFile,
		}, "ini-key", ""},
		{
			"CLI profile that is not there",
			[]func(*testing.T, string){oneProfile(cliKey("a")), func(t *testing.T, _ string) { t.Setenv("ALIBABA_CLOUD_PROFILE", "zzz") }, iniFile},
			"",
			noSource + "CLI profile: the profile is not there or lacks a key)",
		},
		{"half a CLI configuration", []func(*testing.T, string){
			func(t *testing.T, home string) {
				put(t, home, ".aliyun/config.json", `{"profiles": [{"access_key_secret": "`+secretMark+`"]`)
			}, iniFile,
		}, "", noSource + "CLI profile: the file is not readable)"},
		{"half a credentials file", []func(*testing.T, string){uri, func(t *testing.T, home string) {
			put(t, home, ".alibabacloud/credentials", "[default]\ntype = access_key\naccess_key_id = "+keyMark+"\n")
		}}, "", noSource + "credentials file: the profile is not there or lacks a key)"},
		{"empty credentials file", []func(*testing.T, string){uri, func(t *testing.T, home string) {
			put(t, home, ".alibabacloud/credentials", "\n")
		}}, "", noSource + "credentials file: the file is not readable)"},
		{"CLI configuration that is a folder", []func(*testing.T, string){uri, func(t *testing.T, home string) {
			put(t, home, ".aliyun/config.json/x", "")
		}}, "", noSource + "CLI profile: the file is not readable)"},
		{"credentials file of others", []func(*testing.T, string){uri, func(t *testing.T, home string) {
			put(t, home, ".alibabacloud/credentials", "[somebody]\ntype = access_key\n")
		}}, "", noSource + "credentials file: the profile is not there or lacks a key)"},
		{"begin of a credentials file", []func(*testing.T, string){uri, func(t *testing.T, home string) {
			put(t, home, ".alibabacloud/credentials", "# written by the deployment\n")
		}}, "", noSource + "credentials file: the profile is not there or lacks a key)"},
		{"home that is a device", []func(*testing.T, string){uri, func(t *testing.T, _ string) { t.Setenv("HOME", os.DevNull) }}, "STS.", ""},
		{"credentials file", []func(*testing.T, string){iniFile}, "ini-key", ""},
		{"credentials URI", []func(*testing.T, string){uri}, "STS.", ""},
		{"nothing", nil, "", noSource + "credentials file: not there)"},
		{"URI that nobody answers", []func(*testing.T, string){func(t *testing.T, _ string) {
			t.Setenv("ALIBABA_CLOUD_CREDENTIALS_URI", "http://127.0.0.1:1/"+pathMark+"?key="+secretMark)
		}}, "", noSource + "credentials file: not there; credentials URI: connection refused)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			home := chainHome(t)
			for _, set := range tt.set {
				set(t, home)
			}
			synctest.Test(t, func(t *testing.T) {
				c := newCloud(t, time.Hour)
				cred, err := c.client.Default().Get(t.Context())
				switch {
				case tt.err == "" && (err != nil || !strings.HasPrefix(cred.AccessKeyID(), tt.key) || cred.AccessKeySecret() == ""):
					t.Errorf("got key %q, %v, want %q", cred.AccessKeyID(), err, tt.key)
				case tt.err != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.err)):
					t.Errorf("error is %v, want %q", err, tt.err)
				}
				if err != nil {
					searchFor(t, tt.name, err.Error())
				}
				c.net.closed(t, c.client)
			})
		})
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("the command of a profile was run")
	}
}

// The chain of credentials-go asks its last source forever after one failure;
// this one starts again.
func TestDefaultChainRecovers(t *testing.T) {
	home := chainHome(t)
	const ini = "[default]\ntype = access_key\naccess_key_secret = x\naccess_key_id = "
	synctest.Test(t, func(t *testing.T) {
		p := newClient().Default()
		if _, err := p.Get(t.Context()); err == nil {
			t.Fatal("there are credentials")
		}
		put(t, home, ".alibabacloud/credentials", ini+"ini-key\n")
		time.Sleep(time.Second)
		get(t, p, "ini-key")
		// A profile that is rotated in place is seen within a minute,
		// and at once when the API rejects the old key.
		put(t, home, ".alibabacloud/credentials", ini+"second-key\n")
		time.Sleep(time.Minute)
		get(t, p, "ini-key")
		get(t, p, "second-key")
		put(t, home, ".alibabacloud/credentials", ini+"third-key\n")
		if old, err := p.Get(t.Context()); err != nil || !p.Reject(old) {
			t.Errorf("got %v", err)
		}
		get(t, p, "third-key")
		// While the file is away, the last keys stay, and no other
		// source is asked.
		put(t, home, ".alibabacloud/credentials", "")
		put(t, home, ".aliyun/config.json", cli(cliKey("a")))
		for range 100 {
			get(t, p, "third-key")
			time.Sleep(time.Minute)
		}
	})
}
