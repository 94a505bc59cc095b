package interop_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/alibabacloud-go/tea/dara"

	"aliyun_dbs_exporter/dbsapi/dbssim"

	"test/interop/official"
)

// signedAt is when the requests of these tests are signed and checked.
var signedAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// question is a request before it is signed.
type question struct {
	method, host, path, query, body string
	header                          map[string]string
}

// askTasks asks for tasks as every client does.
func askTasks() question {
	return question{
		method: http.MethodPost,
		host:   "dbs-api.cn-hangzhou.aliyuncs.com",
		path:   "/",
		query:  "BackupPlanId=" + planID + "&PageSize=100",
		header: map[string]string{
			"X-Acs-Action":          "DescribeBackupSetDownloadTaskList",
			"X-Acs-Version":         official.APIVersion,
			"X-Acs-Date":            signedAt.Format(time.RFC3339),
			"X-Acs-Signature-Nonce": "nonce",
		},
	}
}

// signed returns the request as it arrives, with the signature of the official core.
func (q question) signed(k official.Keys) (*http.Request, error) {
	q.header = maps.Clone(q.header)
	q.header["X-Acs-Content-Sha256"] = hexHash(q.body)
	if k.Token != "" {
		q.header["X-Acs-Accesskey-Id"], q.header["X-Acs-Security-Token"] = k.ID, k.Token
	}
	r, err := q.arrived()
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", coreAuthorization(r, q.body, k))
	return r, nil
}

// arrived returns the request as a server reads it. It fails if HTTP cannot carry the question.
func (q question) arrived() (*http.Request, error) {
	var wire strings.Builder
	fmt.Fprintf(&wire, "%s %s?%s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", q.method, q.path, q.query, q.host, len(q.body))
	for name, value := range q.header {
		if strings.ContainsAny(value, "\r\n") {
			return nil, fmt.Errorf("header %s has more than one line", name)
		}
		fmt.Fprintf(&wire, "%s: %s\r\n", name, value)
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire.String() + "\r\n" + q.body)))
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(strings.NewReader(q.body))
	return r, nil
}

// coreAuthorization is the header with which the official core signs what arrived.
func coreAuthorization(r *http.Request, body string, k official.Keys) string {
	header := map[string]*string{"host": &r.Host}
	for name := range r.Header {
		header[name] = new(r.Header.Get(name))
	}
	query := make(map[string]string)
	for name := range r.URL.Query() {
		query[name] = r.URL.Query().Get(name)
	}
	return dara.StringValue(openapiutil.GetAuthorization(
		&dara.Request{Method: &r.Method, Pathname: new(r.URL.EscapedPath()), Headers: header, Query: official.Query(query).Query},
		new("ACS3-HMAC-SHA256"), new(hexHash(body)), &k.ID, &k.Secret))
}

func hexHash(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// answer asks a simulator, and returns what it said and whether it accepted the signature.
func answer(t *testing.T, r *http.Request) (said string, accepted bool) {
	t.Helper()
	sim := dbssim.New(func() time.Time { return signedAt },
		dbssim.Account{AccessKeyID: lastingKey.ID, AccessKeySecret: lastingKey.Secret, Plans: simulatedPlans()},
		dbssim.Account{AccessKeyID: temporaryKey.ID, AccessKeySecret: temporaryKey.Secret, SecurityToken: temporaryKey.Token})
	w := httptest.NewRecorder()
	sim.ServeHTTP(w, r)
	var envelope struct {
		Code          string
		TotalElements int
	}
	if err := json.Unmarshal(w.Body.Bytes(), &envelope); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	said = fmt.Sprintf("%d: %s", w.Code, envelope.Code)
	if w.Code == http.StatusOK {
		said = fmt.Sprintf("200: %d rows", envelope.TotalElements)
	}
	return said, len(sim.Requests()) == 1
}

// The simulator understands every request that the core can sign, and answers the ones that DBS does not serve with an
// error.
func TestSignedRequests(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	all := fmt.Sprintf("200: %d rows", taskCount)
	tests := []struct {
		name   string
		change func(*question)
		want   string
	}{
		{"query", func(*question) {}, all},
		{"query with plus", func(q *question) { q.query += "&ClientToken=a+b%20c" }, all},
		{"names that begin alike", func(q *question) { q.query = "BackupPlanId=" + planID + "&A=1&A-b=2&A.b=3&A0=4" }, all},
		{"form", func(q *question) {
			q.query, q.body, q.header["Content-Type"] = "", "BackupPlanId="+planID+"&PageSize=30", form
		}, all},
		{"query and form", func(q *question) {
			q.query, q.body, q.header["Content-Type"] = "PageSize=30", "BackupPlanId="+planID, form
		}, all},
		{"parameter in query and form", func(q *question) {
			q.body, q.header["Content-Type"] = "BackupPlanId=dbsother", form
		}, "400: InvalidParameter"},
		{"parameter twice", func(q *question) { q.query += "&PageSize=100" }, "400: InvalidParameter"},
		{"largest page", func(q *question) { q.query += "&PageNum=2147483647" }, all},
		{"page over 32 bits", func(q *question) { q.query += "&PageNum=2147483648" }, "400: InvalidParameter"},
		{"page near the end of 64 bits", func(q *question) { q.query += "&PageNum=9223372036854775807" }, "400: InvalidParameter"},
		{"negative page", func(q *question) { q.query += "&PageNum=-1" }, "400: InvalidParameter"},
		{"other version", func(q *question) { q.header["X-Acs-Version"] = "2021-01-01" }, "400: InvalidVersion"},
		{"other path", func(q *question) { q.path = "/v1/tasks%20of*a+plan~" }, "404: InvalidAction.NotFound"},
		{"other action", func(q *question) { q.header["X-Acs-Action"] = "DeleteBackupPlan" }, "404: InvalidAction.NotFound"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := askTasks()
			tt.change(&q)
			r, err := q.signed(lastingKey)
			if err != nil {
				t.Fatal(err)
			}
			if said, _ := answer(t, r); said != tt.want {
				t.Errorf("the simulator answers %s, want %s", said, tt.want)
			}
		})
	}
}

// changes are what happens to a request after it is signed. The first keeps it as it is.
var changes = []func(r *http.Request, body *string, text string){
	func(*http.Request, *string, string) {},
	func(r *http.Request, _ *string, text string) { r.Header.Set("Authorization", text) },
	func(r *http.Request, _ *string, text string) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "SignedHeaders=host;", "SignedHeaders="+text, 1))
	},
	func(r *http.Request, _ *string, text string) {
		r.Header.Set("Authorization", r.Header.Get("Authorization")+text)
	},
	func(r *http.Request, _ *string, text string) { r.URL.RawQuery = text },
	func(r *http.Request, _ *string, text string) { r.URL.Path, r.URL.RawPath = text, "" },
	func(r *http.Request, _ *string, text string) { r.Host = text },
	func(r *http.Request, _ *string, text string) { r.Method = text },
	func(_ *http.Request, body *string, text string) { *body = text },
	func(r *http.Request, _ *string, text string) { r.Header.Set("X-Acs-Action", text) },
	func(r *http.Request, _ *string, text string) { r.Header.Set("X-Acs-Added", text) },
	func(r *http.Request, _ *string, text string) { r.Header.Set("X-Acs-Content-Sha256", text) },
	func(r *http.Request, _ *string, text string) { r.Header.Set("Content-Type", text) },
	func(r *http.Request, _ *string, text string) { r.Header.Set("Accept", text) },
	func(r *http.Request, _ *string, text string) { r.Header.Del(text) },
	func(r *http.Request, _ *string, text string) { r.Header.Add("X-Acs-Action", text) },
}

// coreSends reports whether the official core could have sent a request: it sends each of these headers once.
func coreSends(r *http.Request) bool {
	for _, name := range []string{"X-Acs-Action", "X-Acs-Version", "X-Acs-Date", "X-Acs-Signature-Nonce", "X-Acs-Content-Sha256"} {
		if len(r.Header.Values(name)) != 1 {
			return false
		}
	}
	return true
}

// The simulator accepts the signature of a request if and only if the core would have signed it the same way.
func FuzzSignature(f *testing.F) {
	const form = "application/x-www-form-urlencoded"
	for change := range changes {
		f.Add("POST", "/", "BackupPlanId="+planID, "", "", "", false, uint8(change), "x", false)
		f.Add("POST", "/", "BackupPlanId="+planID, "", "", "", false, uint8(change), "X-Acs-Action", true)
		f.Add("GET", "/a%20b*c+d~", "A=1&A-b=+%20&B", "PageNum=1", form, " padded ", true, uint8(change), "accept;host;", false)
	}
	f.Fuzz(func(t *testing.T, method, path, query, body, contentType, extra string, token bool, change uint8, text string, signAgain bool) {
		q := askTasks()
		q.method, q.path, q.query, q.body, q.header["X-Acs-Extra"] = method, path, query, body, extra
		if contentType != "" {
			q.header["Content-Type"] = contentType
		}
		k := lastingKey
		if token {
			k = temporaryKey
		}
		r, err := q.signed(k)
		if err != nil {
			return
		}
		changes[int(change)%len(changes)](r, &body, text)
		if !comparable(r.URL.RawQuery, body, r.Header.Get("Content-Type")) {
			return
		}
		r.Body = io.NopCloser(strings.NewReader(body))
		if signAgain {
			r.Header.Set("Authorization", coreAuthorization(r, body, k))
		}
		core := coreSends(r) && r.Header.Get("Authorization") == coreAuthorization(r, body, k) && r.Header.Get("X-Acs-Content-Sha256") == hexHash(body)
		said, accepted := answer(t, r)
		if accepted != core {
			t.Errorf("the simulator accepts the signature: %t (%s); the official core: %t\n%s %s %q\nbody %q",
				accepted, said, core, r.Method, r.URL, r.Header, body)
		}
	})
}

// comparable reports whether both sides can read the parameters. The core cannot send one twice, and it does not escape
// names, which the documentation of the signature demands.
func comparable(query, body, contentType string) bool {
	seen := make(map[string]bool)
	sources := []string{query}
	if mediaType, _, err := mime.ParseMediaType(contentType); err == nil && mediaType == "application/x-www-form-urlencoded" {
		sources = append(sources, body)
	}
	for _, source := range sources {
		values, err := url.ParseQuery(source)
		if err != nil {
			return false
		}
		for name, list := range values {
			if seen[name] || len(list) > 1 || strings.ReplaceAll(url.QueryEscape(name), "%7E", "~") != name {
				return false
			}
			seen[name] = true
		}
	}
	return true
}
