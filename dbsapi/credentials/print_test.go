package credentials_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	yaml "go.yaml.in/yaml/v4"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

// Values that hold a secret do not show it when they are printed or encoded, on
// their own or inside others.
func TestNothingPrintsSecrets(t *testing.T) {
	synctest.Test(t, testNothingPrintsSecrets)
}

func testNothingPrintsSecrets(t *testing.T) {
	const tokenMark = "session-token-mark"
	cred := credentials.New(keyMark, secretMark, tokenMark, time.Now().Add(time.Hour))
	static := credentials.NewStatic(keyMark, secretMark, tokenMark)
	text := credentials.Given(secretMark)
	keys := credentials.NewKeys(credentials.Given(keyMark), text, credentials.Given(tokenMark))
	if _, err := keys.Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	source := &source{life: time.Hour}
	session := credentials.NewSession(source.fetch)
	if _, err := session.Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	role := newClient().RAMRole(static, credentials.RoleOptions{RoleARN: readerRole})
	values := map[string]any{
		"Credentials": cred, "*Credentials": &cred, "Static": static, "*Static": &static, "Text": text, "*Text": &text,
		"*Keys": keys, "*Session": session, "RAMRole": role, "URI": newClient().URI(text),
		"RoleOptions": credentials.RoleOptions{RoleARN: readerRole},
	}
	for name, v := range values {
		type outer struct {
			Public  any
			private any
			In      struct{ private any }
		}
		holders := map[string]any{
			"alone":     v,
			"pointer":   &v,
			"slice":     []any{v},
			"map":       map[string]any{"x": v},
			"struct":    outer{Public: v, private: v, In: struct{ private any }{v}},
			"in struct": &outer{Public: &outer{private: v}},
		}
		for where, holder := range holders {
			for how, text := range printed(holder) {
				for _, mark := range []string{keyMark, secretMark, tokenMark, "key-1"} {
					if strings.Contains(text, mark) || strings.Contains(text, fmt.Sprintf("%x", mark)) {
						t.Errorf("%s, %s: %s prints %s", name, where, how, text)
					}
				}
			}
		}
	}
	// Typed fields, which reflection reads in another way than those of an
	// interface.
	typed := struct {
		a credentials.Credentials
		b credentials.Static
		c credentials.Text
		D map[string]credentials.Credentials
		E *credentials.Credentials
	}{cred, static, text, map[string]credentials.Credentials{"x": cred}, &cred}
	for how, text := range printed(typed) {
		if strings.Contains(text, "-mark") {
			t.Errorf("typed: %s prints %s", how, text)
		}
	}
}

func printed(v any) map[string]string {
	all := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p"} {
		all[verb] = fmt.Sprintf(verb, v)
	}
	if text, err := json.Marshal(v); err == nil {
		all["JSON"] = string(text)
	}
	if text, err := yaml.Marshal(v); err == nil {
		all["YAML"] = string(text)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
	all["slog"] = log.String()
	return all
}

// Secrets compare by value, and are what they were made of.
func TestCredentialsAreValues(t *testing.T) {
	end := time.Now().Add(time.Hour)
	a, b := credentials.New("id", "secret", "token", end), credentials.New("id", "secret", "to"+"ken", end)
	if a != b || a == credentials.New("id", "secret", "other", end) {
		t.Error("credentials do not compare by value")
	}
	got := []string{a.AccessKeyID(), a.AccessKeySecret(), a.SecurityToken(), credentials.Credentials{}.SecurityToken()}
	if strings.Join(got, " ") != "id secret token " || !a.Expiration().Equal(end) {
		t.Errorf("got %q", got)
	}
	static := credentials.NewStatic("id", "secret", "token")
	want := credentials.New("id", "secret", "token", time.Time{})
	if got, err := static.Get(t.Context()); got != want || err != nil || static.Reject(got) || !static.ExpiresAt().IsZero() {
		t.Errorf("static credentials: %v", err)
	}
}
