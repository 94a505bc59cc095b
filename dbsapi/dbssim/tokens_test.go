package dbssim_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// most is how many sessions and metadata tokens are remembered.
const most = 10_000

// Of more sessions than are remembered, the first is forgotten, and no other.
func TestFirstSessionsGo(t *testing.T) {
	sim := simulator(signedAt)
	uri := dbssim.NewTokens(sim, time.Hour).URI("testid")
	var all []map[string]string
	for range most + 1 {
		w := httptest.NewRecorder()
		uri.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://keys.example/", nil))
		var keys map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &keys); err != nil {
			t.Fatal(err)
		}
		all = append(all, keys)
	}
	for i, want := range map[int]string{
		0:    "404: InvalidAccessKeyId.NotFound",
		1:    "200: 1 rows on 1 pages",
		most: "200: 1 rows on 1 pages",
	} {
		keys := all[i]
		r := signedRequest()
		r.Header.Set("X-Acs-Security-Token", keys["SecurityToken"])
		r.Header.Set("X-Acs-Signature-Nonce", keys["AccessKeyId"])
		sign(r, keys["AccessKeyId"], keys["AccessKeySecret"], "host", "x-acs-action", "x-acs-content-sha256", "x-acs-date",
			"x-acs-security-token", "x-acs-signature-nonce", "x-acs-version")
		if got := ask(t, sim, r); got != want {
			t.Errorf("session %d: %s, want %s", i, got, want)
		}
	}
}

// The tokens of the metadata service are forgotten alike.
func TestFirstMetadataTokensGo(t *testing.T) {
	service := dbssim.NewTokens(simulator(signedAt), time.Hour).Metadata("reader", "testid")
	var tokens []string
	for range most + 1 {
		w := httptest.NewRecorder()
		service.ServeHTTP(w, httptest.NewRequest(http.MethodPut, "http://100.100.100.200/latest/api/token", nil))
		tokens = append(tokens, w.Body.String())
	}
	for i, want := range map[int]int{0: http.StatusForbidden, 1: http.StatusOK, most: http.StatusOK} {
		r := httptest.NewRequest(http.MethodGet, "http://100.100.100.200/latest/meta-data/ram/security-credentials/", nil)
		r.Header.Set("X-Aliyun-Ecs-Metadata-Token", tokens[i])
		w := httptest.NewRecorder()
		if service.ServeHTTP(w, r); w.Code != want {
			t.Errorf("token %d: HTTP %d, want %d", i, w.Code, want)
		}
	}
}
