package dbssim_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// signedAt is when the requests below were signed.
var signedAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// simulator knows the key of the published vectors.
func simulator(now time.Time) *dbssim.Simulator {
	return dbssim.New(func() time.Time { return now },
		dbssim.Account{AccessKeyID: "testid", AccessKeySecret: "testsecret", Plans: []dbssim.Plan{
			{ID: "dbsqhnuhyw3abcd", Region: "cn-hangzhou", Tasks: dbssim.Fixed(dbssim.Task{ID: "t1", Status: "finish"})},
			{ID: "dbsother", Region: "cn-shanghai", Status: "pause"},
		}},
		dbssim.Account{AccessKeyID: "tokenid", AccessKeySecret: "testsecret", SecurityToken: "token"},
	)
}

// signedRequest is a request for download tasks whose signature darabonba, the official core, made.
func signedRequest() *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://dbs-api.cn-hangzhou.aliyuncs.com/?BackupPlanId=dbsqhnuhyw3abcd&PageNum=0&PageSize=100", nil)
	r.Header = http.Header{
		"Accept":                {"application/json"},
		"X-Acs-Action":          {"DescribeBackupSetDownloadTaskList"},
		"X-Acs-Version":         {"2019-03-06"},
		"X-Acs-Date":            {"2026-01-02T03:04:05Z"},
		"X-Acs-Signature-Nonce": {"00112233445566778899aabbccddeeff"},
		"X-Acs-Content-Sha256":  {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		"Authorization": {"ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;" +
			"x-acs-signature-nonce;x-acs-version,Signature=becf9ab460cf8500815b1b7153e23c3da16507c9dfb8098051867ba8bfec201c"},
	}
	return r
}

// ask returns the status and the code or, of a good answer, the totals.
func ask(t *testing.T, s *dbssim.Simulator, r *http.Request) string {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var answer struct {
		Code          string
		TotalElements int
		TotalPages    int
		Success       bool
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	if answer.Success {
		return fmt.Sprintf("%d: %d rows on %d pages", w.Code, answer.TotalElements, answer.TotalPages)
	}
	return fmt.Sprintf("%d: %s", w.Code, answer.Code)
}

func TestSignatureV3(t *testing.T) {
	tests := []struct {
		name   string
		change func(*http.Request)
		now    time.Duration
		want   string
	}{
		{name: "as signed", change: func(*http.Request) {}, want: "200: 1 rows on 1 pages"},
		{name: "one more parameter", change: func(r *http.Request) { r.URL.RawQuery += "&ClientToken=a+b" }, want: "400: SignatureDoesNotMatch"},
		{name: "parameter twice", change: func(r *http.Request) { r.URL.RawQuery += "&PageNum=7" }, want: "400: InvalidParameter"},
		{name: "another path", change: func(r *http.Request) { r.URL.Path = "/v1" }, want: "400: SignatureDoesNotMatch"},
		{name: "another version", change: func(r *http.Request) { r.Header.Set("X-Acs-Version", "2021-01-01") }, want: "400: SignatureDoesNotMatch"},
		{name: "signed headers in another order", change: replaceAuthorization("host;x-acs-action", "x-acs-action;host"), want: "400: IncompleteSignature"},
		{name: "a header more than the signed ones", change: replaceAuthorization("host;", "accept;host;"), want: "400: IncompleteSignature"},
		{name: "a signed header twice", change: func(r *http.Request) { r.Header.Add("X-Acs-Action", "x") }, want: "400: IncompleteSignature"},
		{name: "body without its hash", change: func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("PageNum=7")) }, want: "400: IncompleteSignature"},
		{name: "fields in another order", change: func(r *http.Request) {
			fields := strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "ACS3-HMAC-SHA256 "), ",")
			r.Header.Set("Authorization", "ACS3-HMAC-SHA256 "+fields[1]+","+fields[0]+","+fields[2])
		}, want: "400: IncompleteSignature"},
		{name: "another plan", change: func(r *http.Request) { r.URL.RawQuery = "BackupPlanId=dbsother&PageNum=0&PageSize=100" }, want: "400: SignatureDoesNotMatch"},
		{name: "another host", change: func(r *http.Request) { r.Host = "dbs.example" }, want: "400: SignatureDoesNotMatch"},
		{name: "another method", change: func(r *http.Request) { r.Method = http.MethodGet }, want: "400: SignatureDoesNotMatch"},
		{name: "another action", change: func(r *http.Request) { r.Header.Set("X-Acs-Action", "DescribeBackupPlanList") }, want: "400: SignatureDoesNotMatch"},
		{name: "another nonce", change: func(r *http.Request) { r.Header.Set("X-Acs-Signature-Nonce", "1") }, want: "400: SignatureDoesNotMatch"},
		{name: "unsigned header", change: func(r *http.Request) { r.Header.Set("X-Acs-Security-Token", "t") }, want: "400: IncompleteSignature"},
		{name: "unsigned type", change: func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, want: "400: IncompleteSignature"},
		{name: "another body hash", change: func(r *http.Request) { r.Header.Set("X-Acs-Content-Sha256", "0") }, want: "400: IncompleteSignature"},
		{name: "no nonce", change: func(r *http.Request) { r.Header.Del("X-Acs-Signature-Nonce") }, want: "400: IncompleteSignature"},
		{name: "malformed date", change: func(r *http.Request) { r.Header.Set("X-Acs-Date", "now") }, want: "400: InvalidTimeStamp.Format"},
		{name: "unknown key", change: replaceAuthorization("testid", "nobody"), want: "404: InvalidAccessKeyId.NotFound"},
		{name: "key that needs a token", change: replaceAuthorization("testid", "tokenid"), want: "400: InvalidSecurityToken.MismatchWithAccessKey"},
		{name: "no key", change: replaceAuthorization("Credential=testid,", ""), want: "400: IncompleteSignature"},
		{name: "no authorization", change: func(r *http.Request) { r.Header.Del("Authorization") }, want: "400: MissingAccessKeyId"},
		{name: "14 minutes late", change: func(*http.Request) {}, now: 14 * time.Minute, want: "200: 1 rows on 1 pages"},
		{name: "16 minutes late", change: func(*http.Request) {}, now: 16 * time.Minute, want: "400: InvalidTimeStamp.Expired"},
		{name: "16 minutes early", change: func(*http.Request) {}, now: -16 * time.Minute, want: "400: InvalidTimeStamp.Expired"},
		{name: "malformed query", change: func(r *http.Request) { r.URL.RawQuery = "%zz" }, want: "400: InvalidParameter"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := signedRequest()
			tt.change(r)
			if got := ask(t, simulator(signedAt.Add(tt.now)), r); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// sign signs a request with a key, as a sender may who names any headers.
func sign(r *http.Request, keyID, secret string, names ...string) {
	var headers strings.Builder
	for _, name := range names {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		fmt.Fprintf(&headers, "%s:%s\n", name, value)
	}
	signed := strings.Join(names, ";")
	canonical := strings.Join([]string{
		r.Method, r.URL.Path, r.URL.RawQuery, headers.String(), signed, r.Header.Get("X-Acs-Content-Sha256"),
	}, "\n")
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "ACS3-HMAC-SHA256\n%x", sha256.Sum256([]byte(canonical)))
	r.Header.Set("Authorization", fmt.Sprintf("ACS3-HMAC-SHA256 Credential=%s,SignedHeaders=%s,Signature=%x", keyID, signed, mac.Sum(nil)))
}

// A signature that covers all headers but those that a client must send, or that
// names something else in their place, is refused.
func TestMissingHeaders(t *testing.T) {
	all := []string{"host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"}
	r := signedRequest()
	sign(r, "testid", "testsecret", all...)
	if got := ask(t, simulator(signedAt), r); got != "200: 1 rows on 1 pages" {
		t.Fatalf("all headers: %s", got)
	}
	for _, missing := range []string{"x-acs-action", "x-acs-version"} {
		for _, instead := range [][]string{nil, {"?"}} {
			r := signedRequest()
			r.Header.Del(missing)
			r.URL.RawQuery = "Action=DescribeBackupSetDownloadTaskList&" + r.URL.RawQuery + "&Version=2019-03-06"
			present := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return name == missing })
			sign(r, "testid", "testsecret", append(instead, present...)...)
			if got := ask(t, simulator(signedAt), r); got != "400: IncompleteSignature" {
				t.Errorf("without %s, with %q: %s", missing, instead, got)
			}
		}
	}
}

func replaceAuthorization(old, replacement string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, replacement, 1))
	}
}

func TestNonceIsUsedOnce(t *testing.T) {
	s := simulator(signedAt)
	if got := ask(t, s, signedRequest()); got != "200: 1 rows on 1 pages" {
		t.Errorf("first: %s", got)
	}
	if got := ask(t, s, signedRequest()); got != "400: SignatureNonceUsed" {
		t.Errorf("second: %s", got)
	}
	if n := len(s.Requests()); n != 1 {
		t.Errorf("%d requests accepted, want 1", n)
	}
}

// The older scheme, with the two vectors that its documentation has had. They are for another product, so that the
// version is what is refused.
func TestSignatureV1(t *testing.T) {
	tests := []struct {
		now               time.Time
		params, signature string
	}{
		{
			time.Date(2016, 2, 23, 12, 46, 24, 0, time.UTC),
			"Timestamp=2016-02-23T12:46:24Z&Format=XML&AccessKeyId=testid&Action=DescribeRegions&SignatureMethod=HMAC-SHA1" +
				"&SignatureNonce=3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf&Version=2014-05-26&SignatureVersion=1.0",
			"OLeaidS1JvxuMvnyHOwuJ+uX5qY=",
		},
		{
			time.Date(2023, 3, 13, 8, 34, 30, 0, time.UTC),
			"Action=DescribeDedicatedHosts&RegionId=cn-beijing&Format=JSON&Timestamp=2023-03-13T08:34:30Z&AccessKeyId=testid" +
				"&SignatureMethod=HMAC-SHA1&SignatureNonce=edb2b34af0af9a6d14deaf7c1a5315eb&Version=2014-05-26&SignatureVersion=1.0",
			"9NaGiOspFP5UPcwX8Iwt2YJXXuk=",
		},
	}
	for _, tt := range tests {
		good := tt.params + "&Signature=" + url.QueryEscape(tt.signature)
		if got := ask(t, simulator(tt.now), httptest.NewRequest(http.MethodGet, "https://ecs.example/?"+good, nil)); got != "400: InvalidVersion" {
			t.Errorf("signed: %s", got)
		}
		for _, bad := range []string{good + "&More=1", strings.Replace(good, "Describe", "Delete", 1)} {
			if got := ask(t, simulator(tt.now), httptest.NewRequest(http.MethodGet, "https://ecs.example/?"+bad, nil)); got != "400: SignatureDoesNotMatch" {
				t.Errorf("changed: %s", got)
			}
		}
		if got := ask(t, simulator(tt.now), httptest.NewRequest(http.MethodGet, "https://ecs.example/?"+strings.Replace(good, "Timestamp=", "Timestamp=x", 1), nil)); got != "400: InvalidTimeStamp.Format" {
			t.Errorf("malformed time: %s", got)
		}
	}
}

// The simulator answers every request with JSON and does not panic.
func FuzzServeHTTP(f *testing.F) {
	f.Add("POST", "BackupPlanId=dbsqhnuhyw3abcd&PageNum=0&PageSize=100", signedRequest().Header.Get("Authorization"), "", "2026-01-02T03:04:05Z")
	f.Add("GET", "Action=DescribeBackupPlanList&AccessKeyId=testid&Signature=x&Timestamp=2026-01-02T03:04:05Z", "", "", "")
	f.Add("POST", "PageNum=-1&PageSize=99999999999999999999", "ACS3-HMAC-SHA256 =,,=", "a=b&c=%zz", "x")
	f.Fuzz(func(t *testing.T, method, query, authorization, form, date string) {
		r, err := http.NewRequest(method, "https://dbs.example/", strings.NewReader(form))
		if err != nil {
			return
		}
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", authorization)
		r.Header.Set("X-Acs-Date", date)
		w := httptest.NewRecorder()
		simulator(signedAt).ServeHTTP(w, r)
		if !json.Valid(w.Body.Bytes()) || w.Code < 200 || w.Code > 599 {
			t.Errorf("status %d, %s", w.Code, w.Body)
		}
		if w.Code == http.StatusOK && query != "BackupPlanId=dbsqhnuhyw3abcd&PageNum=0&PageSize=100" {
			t.Errorf("accepted %q with %q", query, authorization)
		}
	})
}

// A fault hits as many requests as it says, here and at the service that issues keys.
func TestFaultTimes(t *testing.T) {
	tokens := dbssim.NewTokens(dbssim.New(nil, dbssim.Account{AccessKeyID: "key", AccessKeySecret: "secret"}), time.Hour)
	uri := tokens.URI("key")
	tests := []struct {
		times int
		want  []int
	}{
		{0, []int{500, 500, 500}},
		{1, []int{500, 200, 200}},
		{2, []int{500, 500, 200}},
	}
	for _, tt := range tests {
		tokens.SetFault(&dbssim.Fault{Status: http.StatusInternalServerError, Times: tt.times})
		var got []int
		for range tt.want {
			w := httptest.NewRecorder()
			uri.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
			got = append(got, w.Code)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%d times (-want +got):\n%s", tt.times, diff)
		}
		tokens.SetFault(nil)
	}
}
