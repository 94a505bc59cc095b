package config_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

// The header of a response is bounded, also with certificate files, which are read
// again when they change.
func TestHeaderIsBounded(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			w.Header().Set("X-Large", strings.Repeat("x", 100<<10))
		}
	})
	plain, secure := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	writeFile(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})))
	for url, keys := range map[string]string{plain.URL: "", secure.URL: "tls_config: {ca_file: " + ca + "}"} {
		client, err := parse(t, good+"http_client: {"+keys+"}\n").NewHTTPClient(nil)
		if err != nil {
			t.Fatal(err)
		}
		get := func(path string) error {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := client.Do(request)
			if err == nil {
				response.Body.Close()
			}
			return err
		}
		if err := get("/"); err != nil {
			t.Errorf("%q: %v", keys, err)
		}
		if err := get("/large"); err == nil || !strings.Contains(err.Error(), "exceeded") {
			t.Errorf("%q: a header of 100 KiB gives %v", keys, err)
		}
	}
}

// server_name names the DBS endpoint. Requests for credentials go to other hosts,
// whose certificates have other names.
func TestServerNameIsForTheAPI(t *testing.T) {
	sts := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(sts.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	writeFile(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: sts.Certificate().Raw})))
	keys := "      type: ram_role_arn\n      role_arn: r\n      sts_endpoint: " + strings.TrimPrefix(sts.URL, "https://") + "\n      source:\n" +
		"        type: access_key\n        access_key_id: a\n        access_key_secret: b\n"
	c := parse(t, with(t, block, keys)+"http_client: {tls_config: {ca_file: "+ca+", server_name: dbs.example}}\n")
	transport, err := c.NewCredentialsTransport(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Targets[0].Credentials(credentials.NewClient("test", transport)).Get(t.Context())
	if err == nil || strings.Contains(err.Error(), "certificate") {
		t.Errorf("error is %v, want an answer that is not one of STS", err)
	}
}
