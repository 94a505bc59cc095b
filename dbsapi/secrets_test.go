package dbsapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/credentials"
	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// shown is every way in which a value can get into a log.
func shown(values ...any) string {
	var b strings.Builder
	for _, v := range values {
		fmt.Fprintf(&b, "%v %+v %#v %s\n", v, v, v, v)
		if text, err := json.Marshal(v); err == nil {
			b.Write(text)
		}
	}
	return b.String()
}

// Nothing that a server says in a failing answer is shown, in whatever field,
// except what has the form of an error code or a request ID.
func TestServerTextIsNotShown(t *testing.T) {
	const mark = "mark of the server"
	fields := []string{
		"Success", "Code", "code", "Message", "message", "RequestId", "requestId", "HostId", "Recommend", "ErrCode", "ErrMessage",
		"HttpStatusCode", "TotalElements", "TotalPages", "PageSize", "PageNum", "Items", "AccessDeniedDetail", mark,
	}
	marks := []any{mark, testToken, testSecret, testKeyID, testToken[4:12], []any{mark}, map[string]any{mark: mark}}
	for _, status := range []int{200, 302, 400, 403, 429, 500, 503} {
		for _, value := range marks {
			answer := make(map[string]any)
			for _, name := range fields {
				answer[name] = value
			}
			body, err := json.Marshal(answer)
			if err != nil {
				t.Fatal(err)
			}
			c := inMemoryClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for _, name := range []string{"Location", "Retry-After", "X-Ratelimit-User", "X-Acs-Request-Id", "Date", "Content-Type", "X-Mark"} {
					w.Header().Set(name, fmt.Sprint(value))
				}
				w.WriteHeader(status)
				w.Write(body)
			}), dbsapi.Options{Observe: func(a dbsapi.Attempt) {
				if text := shown(a, a.Err); strings.Contains(text, mark) {
					t.Errorf("attempt shows %s", text)
				}
			}})
			_, _, err = listAt(t.Context(), c, dbsapi.Pace{Turn: new(schedule).turn, OneAttempt: true})
			if err == nil {
				t.Fatalf("took %s for a list", body)
			}
			text := shown(err)
			for _, m := range []string{mark, testToken, testSecret, testKeyID, testToken[4:12]} {
				if strings.Contains(text, m) {
					t.Errorf("%d with %v: error shows %s", status, value, text)
				}
			}
		}
	}
}

// An error code that holds a part of a secret is not shown, and the codes of the
// gateway are.
func TestPartsOfSecretsInCodes(t *testing.T) {
	const keyID, secret, token = "STS.NUgYrLnoC37mZZCNnAbez", "7GgDnPvKz5Xw2rQb9TtYcHsJfLmE3aUo", "CAIS8AF1q6Ft5B2yfSjIr5fSIujzY69Ua+SbGGLmTgFAeLSW2Q=="
	tests := []struct {
		code  string
		shown bool
	}{
		{"Throttling.User", true},
		{"Rejected.Throttling", true},
		{"InvalidAccessKeyId.NotFound", true},
		{"InvalidSecurityToken.Expired", true},
		{"InvalidSecurityToken.MismatchWithAccessKey", true},
		{"SignatureDoesNotMatch", true},
		{"Forbidden.RAM", true},
		{"InvalidParameter.PageSize", true},
		{"DBS.ParamIsInValid", true},
		{token[:10], false},
		{"Bad." + token[:4], false},
		{"STS." + keyID[4:9], false},
		{secret[7:12] + ".Bad", false},
		{"A.B." + secret[20:] + ".C", false},
		{"Bad" + secret[:8] + "Key", false},
		{"Bad" + token[10:20], false},
		{"Bad." + token[:3], true}, // too little to know
	}
	for _, tt := range tests {
		t.Run(tt.code, func(t *testing.T) {
			c := inMemoryClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprintf(w, `{"Code":%q}`, tt.code)
			}), dbsapi.Options{Credentials: credentials.NewStatic(keyID, secret, token)})
			_, _, err := listAt(t.Context(), c, dbsapi.Pace{Turn: new(schedule).turn, OneAttempt: true})
			if err == nil || strings.Contains(err.Error(), tt.code) != tt.shown {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// A client shows nothing of its credentials, and a list nothing of the download
// URLs, directories and error texts of its rows.
func TestClientAndRowsShowNoSecret(t *testing.T) {
	c := serve(t, newSimulator(3), dbsapi.Options{})
	tasks, _, err := list(t.Context(), c)
	if err != nil || len(tasks) != 3 {
		t.Fatalf("got %d tasks and %v", len(tasks), err)
	}
	text := shown(c, struct{ Client *dbsapi.Client }{c}, tasks)
	for _, mark := range []string{testKeyID, testSecret, testToken, dbssim.FreeText, dbssim.CapabilityURL, dbssim.SecretDirectory} {
		if strings.Contains(text, mark) {
			t.Errorf("%q is shown in %s", mark, text)
		}
	}
}
