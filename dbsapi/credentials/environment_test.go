package credentials_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

const notKeys = "keys and tokens must be visible ASCII characters"

// Keys of the environment are taken without what surrounds them; an error names
// the variable, holds nothing of it, and ends the search.
func TestEnvironmentIsTidied(t *testing.T) {
	const inner = "there is white space or a control character inside the value"
	for name, tt := range map[string]struct{ id, key, token, err string }{
		"line feeds":      {"id\n", "key\n", "token\r\n", ""},
		"mark and blanks": {"\ufeffid", " key\t", "\u3000token ", ""},
		"two words":       {"id", "key " + secretMark, "token", "ALIBABA_CLOUD_ACCESS_KEY_SECRET: " + inner},
		"two lines":       {"id", "key", "token\n" + secretMark, "ALIBABA_CLOUD_SECURITY_TOKEN: " + inner},
		"blanks only":     {" ", "key", "token", "ALIBABA_CLOUD_ACCESS_KEY_ID: it is empty"},
		"not ASCII":       {"id", "k\u00e9y", "token", "ALIBABA_CLOUD_ACCESS_KEY_SECRET: " + notKeys},
	} {
		t.Run(name, func(t *testing.T) {
			put(t, chainHome(t), ".aliyun/config.json", cli(cliKey("a")))
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", tt.id)
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", tt.key)
			t.Setenv("ALIBABA_CLOUD_SECURITY_TOKEN", tt.token)
			cred, err := newClient().Default().Get(t.Context())
			if tt.err == "" {
				if err != nil || cred != credentials.New("id", "key", "token", time.Time{}) {
					t.Errorf("got %q %q %q, %v", cred.AccessKeyID(), cred.AccessKeySecret(), cred.SecurityToken(), err)
				}
				return
			}
			want := "default chain: no source has credentials (environment: " + tt.err + ")"
			if err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

// A source of which some variables are set, and not all, ends the search with an
// error that names what is missing.
func TestHalfAnEnvironment(t *testing.T) {
	const keyID, keySecret, token = "ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN"
	const role, providerARN, tokenFile, oidcToken = "ROLE_ARN", "OIDC_PROVIDER_ARN", "OIDC_TOKEN_FILE", "OIDC_TOKEN"
	for _, tt := range []struct {
		set           []string
		source, wants string // empty: the search goes on
	}{
		{[]string{keyID}, "environment", keySecret},
		{[]string{keyID, token}, "environment", keySecret},
		{[]string{keySecret}, "environment", keyID},
		{[]string{token}, "environment", keyID},
		{[]string{role, providerARN}, "OIDC", tokenFile},
		{[]string{providerARN, tokenFile}, "OIDC", role},
		{[]string{role, tokenFile}, "OIDC", providerARN},
		{[]string{role, oidcToken}, "OIDC", providerARN},
		{[]string{tokenFile}, "OIDC", role},
		{[]string{role}, "", ""}, // may be meant for other programs
		{[]string{"ROLE_SESSION_NAME", "STS_REGION"}, "", ""},
	} {
		t.Run(strings.Join(tt.set, " "), func(t *testing.T) {
			put(t, chainHome(t), ".aliyun/config.json", cli(cliKey("a")))
			for _, name := range tt.set {
				t.Setenv("ALIBABA_CLOUD_"+name, secretMark)
			}
			cred, err := newClient().Default().Get(t.Context())
			if tt.source == "" {
				if err != nil || cred.AccessKeyID() != "cli-key" {
					t.Errorf("got %q, %v", cred.AccessKeyID(), err)
				}
				return
			}
			want := tt.source + ": ALIBABA_CLOUD_" + tt.wants + " is not set)"
			if err == nil || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("got %q, %v, want %s", cred.AccessKeyID(), err, want)
			}
		})
	}
}

// Keys that cannot be the value of a header are refused, whatever gives them.
func TestKeysThatAreNone(t *testing.T) {
	for _, bad := range []string{"a\nb", "a b", "k\u00e9y", "a\x00"} {
		for i := range 3 {
			parts := [3]string{"id", "key", "token"}
			parts[i] = bad
			s := credentials.NewSession(func(context.Context) (credentials.Credentials, error) {
				return credentials.New(parts[0], parts[1], parts[2], time.Time{}), nil
			})
			if cred, err := s.Get(t.Context()); err == nil || err.Error() != "renew credentials: "+notKeys || cred != (credentials.Credentials{}) {
				t.Errorf("%q: %v", parts, err)
			}
		}
	}
	profile := cliKey("a")
	profile["access_key_secret"] = secretMark + "\n"
	put(t, chainHome(t), ".aliyun/config.json", cli(profile))
	if _, err := newClient().Default().Get(t.Context()); err == nil || !strings.HasSuffix(err.Error(), "CLI profile: "+notKeys+")") {
		t.Errorf("CLI profile: %v", err)
	}
	good := credentials.Given("good")
	_, err := credentials.NewKeys(good, credentials.Given("k\u00e9y"), good).Get(t.Context())
	if err == nil || err.Error() != "access_key_secret: "+notKeys {
		t.Errorf("given keys: %v", err)
	}
}
