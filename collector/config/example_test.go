package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"aliyun_dbs_exporter/collector/config"
)

var exampleFile = filepath.Join("..", "..", "config.example.yml")

// wholeExample returns the example with all that is commented out.
func wholeExample(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(exampleFile)
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
	return all.String()
}

// writeExample writes a configuration and the files that the example names, and
// returns the path.
func writeExample(t testing.TB, text string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"access-key-id", "access-key-secret", "security-token", "oidc-token", "credentials-url"} {
		writeFile(t, filepath.Join(dir, "secrets", name), secretMark)
	}
	for name, block := range certificate(t) {
		writeFile(t, filepath.Join(dir, "tls", name), block)
	}
	path := filepath.Join(dir, "config.yml")
	writeFile(t, path, text)
	return path
}

func TestExampleLoads(t *testing.T) {
	if _, err := config.Load(exampleFile); err != nil {
		t.Error(err)
	}
}

// The example shows the default of every key that it does not comment out.
func TestExampleShowsDefaults(t *testing.T) {
	c, err := config.Load(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	example := c.Targets[0]
	want := parse(t, "targets: [{account: production, region_id: cn-hangzhou, plans: ["+
		"{id: dbsqhnuhyw3abcd, name: orders-mysql, max_success_age: 26h}]}]\nhttp_client: {tls_config: {min_version: TLS12}}")
	if diff := cmp.Diff(printed(t, want), printed(t, c)); diff != "" {
		t.Errorf("%s: %s", example.Account, diff)
	}
}

// A configuration that is printed is a configuration again, the same but for
// its secrets.
func TestPrintedConfigLoads(t *testing.T) {
	path := writeExample(t, wholeExample(t))
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	text := printed(t, c)
	again, err := config.Parse([]byte(text), path)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if diff := cmp.Diff(text, printed(t, again)); diff != "" {
		t.Error(diff)
	}
}

// blocks are the blocks of a configuration by name, with a text that has an
// unknown key in each.
var blocks = map[string]string{
	"":                                    "other: x",
	"task_series":                         "task_series: {other: x}",
	"http_client":                         "http_client: {other: x}",
	"http_client.tls_config":              "http_client: {tls_config: {other: x}}",
	"targets":                             "targets: [{other: x}]",
	"targets.plans":                       "targets: [{plans: [{other: x}]}]",
	"targets.discovery":                   "targets: [{discovery: {other: x}}]",
	"targets.gateways":                    "targets: [{gateways: {other: x}}]",
	"targets.credentials default":         "targets: [{credentials: {type: default, other: x}}]",
	"targets.credentials access_key":      "targets: [{credentials: {type: access_key, other: x}}]",
	"targets.credentials sts":             "targets: [{credentials: {type: sts, other: x}}]",
	"targets.credentials ram_role_arn":    "targets: [{credentials: {type: ram_role_arn, other: x}}]",
	"targets.credentials ecs_ram_role":    "targets: [{credentials: {type: ecs_ram_role, other: x}}]",
	"targets.credentials oidc_role_arn":   "targets: [{credentials: {type: oidc_role_arn, other: x}}]",
	"targets.credentials credentials_uri": "targets: [{credentials: {type: credentials_uri, other: x}}]",
}

// The example has every key, and the error about an unknown key lists those of
// its block.
func TestEveryKeyIsListed(t *testing.T) {
	text := wholeExample(t)
	var example map[string]any
	if err := yaml.Load([]byte(text), &example); err != nil {
		t.Fatal(err)
	}
	inExample := make(map[string]map[string]bool)
	collectKeys(example, "", inExample)

	c, err := config.Load(writeExample(t, text))
	if err != nil {
		t.Fatal(err)
	}
	inCode := make(map[string]map[string]bool)
	collectFields(reflect.ValueOf(*c), "", inCode)

	for name, text := range blocks {
		_, err := config.Parse([]byte(text), "test.yml")
		_, list, found := strings.Cut(err.Error(), "unknown key; the keys here are ")
		if !found {
			t.Errorf("%s: %v", name, err)
			continue
		}
		list, _, _ = strings.Cut(list, ";")
		var keys []string
		for key := range strings.SplitSeq(list, ", ") {
			key, _, _ = strings.Cut(key, " (")
			keys = append(keys, key)
		}
		slices.Sort(keys)
		if diff := cmp.Diff(keys, sorted(inExample[name])); diff != "" {
			t.Errorf("%q in the error (-) and in the example (+): %s", name, diff)
		}
		if diff := cmp.Diff(keys, sorted(inCode[name])); diff != "" {
			t.Errorf("%q in the error (-) and in the code (+): %s", name, diff)
		}
	}
	for name := range inCode {
		if _, tested := blocks[name]; !tested {
			t.Errorf("no test of the block %q", name)
		}
	}
}

func sorted(keys map[string]bool) []string { return slices.Sorted(maps.Keys(keys)) }

// collectKeys adds the keys of each block of a YAML file. Those of credentials
// have the type in their name.
func collectKeys(value any, name string, keys map[string]map[string]bool) {
	switch value := value.(type) {
	case []any:
		for _, element := range value {
			collectKeys(element, name, keys)
		}
	case map[string]any:
		full := name
		if kind, ok := value["type"].(string); ok {
			full += " " + kind
		}
		if keys[full] == nil {
			keys[full] = make(map[string]bool)
		}
		for key, member := range value {
			keys[full][key] = true
			collectKeys(member, memberName(name, key), keys)
		}
	}
}

// memberName returns the name of a block in a block. The source of a role is a
// block of credentials like any other.
func memberName(name, key string) string {
	if key == "source" {
		return name
	}
	return strings.TrimPrefix(name+"."+key, ".")
}

// collectFields does the same for the fields of a configuration with all keys.
func collectFields(value reflect.Value, name string, keys map[string]map[string]bool) {
	if block, ok := reflect.TypeAssert[config.CredentialsBlock](value); ok {
		if block.Settings == nil {
			return
		}
		value = reflect.ValueOf(block.Settings)
		name += " " + value.FieldByName("Type").String()
	}
	switch value.Kind() {
	case reflect.Slice:
		for i := range value.Len() {
			collectFields(value.Index(i), name, keys)
		}
	case reflect.Struct:
		for _, field := range reflect.VisibleFields(value.Type()) {
			key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
			if key == "" {
				continue
			}
			if keys[name] == nil {
				keys[name] = make(map[string]bool)
			}
			keys[name][key] = true
			path, _, _ := strings.Cut(name, " ")
			collectFields(value.FieldByIndex(field.Index), memberName(path, key), keys)
		}
	}
}

// slips returns lines with a secret where it does not belong, in the place of a
// key and its value.
func slips(key, value string) []string {
	const mark = secretMark
	var lines []string
	for _, wrong := range []string{
		mark, "'" + mark + "'", "[" + mark + "]", "{" + mark + ": x}", "{a: " + mark + "}", "*" + mark, "&" + mark + " x",
		"!" + mark + " x", "!!" + mark + " x", "!!binary " + mark, "!!int " + mark, "\"" + mark, "'" + mark, mark + ": x",
		"|" + mark, "\"\\" + mark + "\"", "%" + mark, "http://a:" + mark + "@x:y",
	} {
		lines = append(lines, key+": "+wrong)
	}
	return append(lines, key+" "+mark, key+":"+mark, mark+":"+value, mark, "? "+mark, "%"+mark, "? ["+mark+"]\n: x")
}

// No error repeats a value, wherever a secret has slipped to.
func TestErrorsHoldNoValue(t *testing.T) {
	head, targets, _ := strings.Cut(wholeExample(t), "targets:\n")
	var texts []string
	for target := range strings.SplitSeq(targets, "  - account:") {
		texts = append(texts, "targets:\n  - account:"+target)
	}
	texts[0] = head + texts[1]
	failed := 0
	for _, text := range texts {
		lines := strings.SplitAfter(text, "\n")
		for i, line := range lines {
			code := strings.TrimLeft(line, " -")
			key, value, ok := strings.Cut(strings.TrimSuffix(code, "\n"), ":")
			if !ok || strings.HasPrefix(code, "#") {
				continue
			}
			for _, slip := range slips(key, value) {
				slip = strings.TrimSuffix(line, code) + slip + "\n"
				text := strings.Join(lines[:i], "") + slip + strings.Join(lines[i+1:], "")
				_, err := config.Parse([]byte(text), "test.yml")
				if err == nil {
					continue
				}
				failed++
				if strings.Contains(err.Error(), secretMark) {
					t.Errorf("line %q: %v", slip, err)
				}
			}
		}
	}
	if failed < 1000 {
		t.Errorf("only %d slips are errors", failed)
	}
}

// certificate returns a self-signed certificate, as its own CA, and its key.
func certificate(t testing.TB) map[string]string {
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
