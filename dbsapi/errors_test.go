package dbsapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/credentials"
	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// Every failure has its reason, is retried or not, and says nothing about the request or the answer.
func TestFailures(t *testing.T) {
	fail := dbssim.Failing
	tests := []struct {
		name     string
		fault    dbssim.Fault
		reason   dbsapi.Reason
		attempts int
		want     string
	}{
		{"throttled", fail(400, "Throttling"), "throttled", 4, "throttled (HTTP 400, code Throttling"},
		{"throttled user", dbssim.Throttled(0), "throttled", 4, "throttled (HTTP 400, code Throttling.User"},
		{"throttled API", fail(503, "Throttling.Api"), "throttled", 4, "throttled (HTTP 503, code Throttling.Api"},
		{"rejected", fail(429, "Rejected.Throttling"), "throttled", 4, "throttled (HTTP 429, code Rejected.Throttling"},
		{"status 429", fail(429, ""), "throttled", 4, "throttled (HTTP 429, request"},
		{"unavailable", fail(503, "ServiceUnavailable"), "server", 4, "server (HTTP 503, code ServiceUnavailable"},
		{"internal", fail(500, "InternalError"), "server", 4, "server (HTTP 500, code InternalError"},
		{"DBS internal with status 200", fail(200, "DBS.InternalError"), "server", 4, "server (HTTP 200, code DBS.InternalError"},
		{"HTML 502", dbssim.HTMLPage(502), "server", 4, "server (HTTP 502)"},
		{"HTML 504", dbssim.HTMLPage(504), "server", 4, "server (HTTP 504)"},
		{"HTML 200", dbssim.HTMLPage(200), "decode", 1, "decode: the answer is not the JSON that DBS sends (HTTP 200)"},
		{"HTML 403", dbssim.HTMLPage(403), "forbidden", 1, "forbidden (HTTP 403)"},
		{"dropped", dbssim.Fault{Drop: true}, "network", 4, "network: connection closed before the answer was complete"},
		{"truncated", dbssim.Fault{Truncate: true}, "network", 4, "network: connection closed before the answer was complete"},
		{"forbidden", fail(403, "Request.Forbidden"), "forbidden", 1, "forbidden (HTTP 403, code Request.Forbidden"},
		{"no RAM permission", fail(403, "Forbidden.RAM"), "forbidden", 1, "forbidden (HTTP 403, code Forbidden.RAM"},
		{"NoPermission with 400", fail(400, "NoPermission"), "forbidden", 1, "forbidden (HTTP 400, code NoPermission"},
		{"key unknown", fail(404, "InvalidAccessKeyId.NotFound"), "auth", 1, "auth (HTTP 404, code InvalidAccessKeyId.NotFound"},
		{"key inactive", fail(400, "InvalidAccessKeyId.Inactive"), "auth", 1, "auth (HTTP 400, code InvalidAccessKeyId.Inactive"},
		{"signature", fail(400, "SignatureDoesNotMatch"), "auth", 1, "auth (HTTP 400, code SignatureDoesNotMatch"},
		{"nonce", fail(400, "SignatureNonceUsed"), "auth", 2, "auth (HTTP 400, code SignatureNonceUsed"},
		{"clock", fail(400, "InvalidTimeStamp.Expired"), "auth", 1, "auth (HTTP 400, code InvalidTimeStamp.Expired"},
		{"token", fail(400, "InvalidSecurityToken.Expired"), "auth", 1, "auth (HTTP 400, code InvalidSecurityToken.Expired"},
		{"no token", fail(400, "MissingSecurityToken"), "auth", 1, "auth (HTTP 400, code MissingSecurityToken"},
		{"status 401", fail(401, ""), "auth", 1, "auth (HTTP 401, request"},
		{"plan unknown", fail(400, "InvalidParameterValid"), "not_found", 1, "not_found (HTTP 400, code InvalidParameterValid"},
		{"parameter not found", fail(400, "Param.NotFound"), "not_found", 1, "not_found (HTTP 400, code Param.NotFound"},
		{"job unknown", fail(400, "InvalidJobId"), "not_found", 1, "not_found (HTTP 400, code InvalidJobId"},
		{"something not found", fail(400, "BackupPlan.NotFound"), "not_found", 1, "not_found (HTTP 400, code BackupPlan.NotFound"},
		{"HTML 404", dbssim.HTMLPage(404), "not_found", 1, "not_found (HTTP 404)"},
		{"action unknown", fail(404, "InvalidAction.NotFound"), "invalid_request", 1, "invalid_request (HTTP 404, code InvalidAction.NotFound"},
		{"version unknown", fail(400, "InvalidVersion"), "invalid_request", 1, "invalid_request (HTTP 400, code InvalidVersion"},
		{"parameter bad", fail(400, "InvalidParameter.PageSize"), "invalid_request", 1, "invalid_request (HTTP 400, code InvalidParameter.PageSize"},
		{"parameter missing", fail(400, "MissingBackupPlanId"), "invalid_request", 1, "invalid_request (HTTP 400, code MissingBackupPlanId"},
		{"unknown code", fail(400, "SomethingNew"), "invalid_request", 1, "invalid_request (HTTP 400, code SomethingNew"},
		{"unknown code of the server", fail(500, "SomethingNew"), "server", 4, "server (HTTP 500, code SomethingNew"},
		{"code that is no identifier", fail(400, "<b>"+testToken), "invalid_request", 1, "invalid_request (HTTP 400, request"},
		{"code that is too long", fail(400, strings.Repeat("a", 65)), "invalid_request", 1, "invalid_request (HTTP 400, request"},
		{"request timeout", fail(408, ""), "timeout", 4, "timeout (HTTP 408, request"},
		{"proxy authentication", fail(407, ""), "other", 1, "other (HTTP 407, request"},
		{"redirect", dbssim.Fault{Status: 302, Location: "http://127.0.0.1:1/elsewhere"}, "other", 1, "other (HTTP 302)"},
		{
			"Success false",
			dbssim.Fault{Envelope: func(e map[string]any) {
				e["Success"], e["ErrCode"], e["HttpStatusCode"] = false, "Request.Forbidden", 403
			}},
			"forbidden", 1, "forbidden (HTTP 403, code Request.Forbidden",
		},
		{
			"Success false as text",
			dbssim.Fault{Envelope: func(e map[string]any) { e["Success"], e["ErrCode"] = "false", "" }},
			"other", 1, "other (HTTP 200, request",
		},
		{
			"no Success but a code",
			dbssim.Fault{Envelope: func(e map[string]any) { delete(e, "Success"); e["Code"] = "Throttling" }},
			"throttled", 4, "throttled (HTTP 200, code Throttling",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := newSimulator(3)
				sim.SetFault(testPlan, tt.fault)
				var o observer
				_, _, err := list(t.Context(), inMemoryClient(t, sim, dbsapi.Options{Observe: o.observe}))
				if got := reasonOf(t, err); got != tt.reason {
					t.Errorf("reason is %s, want %s", got, tt.reason)
				}
				if !strings.HasPrefix(err.Error(), dbsapi.ActionDownloadTasks+": "+tt.want) {
					t.Errorf("error is %q, want the start %q", err, tt.want)
				}
				reasons := o.reasons()
				if len(reasons) != tt.attempts {
					t.Errorf("attempts ended with %v, want %d of them", reasons, tt.attempts)
				}
				for _, r := range reasons {
					if r != string(tt.reason) {
						t.Errorf("an attempt ended with %s", r)
					}
				}
				checkNoLeak(t, err.Error())
			})
		})
	}
}

// The gateway repeats what it signed, session token included.
func TestSignatureErrorHidesTheToken(t *testing.T) {
	sim := newSimulator(3)
	c := serve(t, sim, dbsapi.Options{Credentials: credentials.NewStatic(testKeyID, "wrong", testToken)})
	_, _, err := list(t.Context(), c)
	var apiErr *dbsapi.Error
	if !errors.As(err, &apiErr) {
		t.Fatal(err)
	}
	if apiErr.Code != "SignatureDoesNotMatch" || apiErr.HTTPStatus != 400 || apiErr.Reason != dbsapi.ReasonAuth {
		t.Errorf("error is %v", err)
	}
	checkNoLeak(t, fmt.Sprintf("%v %+v %#v", err, apiErr, apiErr))
}

func TestNetworkErrors(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	plain := httptest.NewServer(newSimulator(1))
	t.Cleanup(plain.Close)
	secure := httptest.NewUnstartedServer(newSimulator(1))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	dropped, truncated := newSimulator(1), newSimulator(1)
	dropped.SetFault(testPlan, dbssim.Fault{Drop: true})
	truncated.SetFault(testPlan, dbssim.Fault{Truncate: true})
	dropping, truncating := httptest.NewServer(dropped), httptest.NewServer(truncated)
	t.Cleanup(dropping.Close)
	t.Cleanup(truncating.Close)
	noName := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "dbs.example", IsNotFound: true}}
	}}}
	tests := []struct {
		name, endpoint, want string
		client               *http.Client
	}{
		{"connection dropped", dropping.URL, "connection closed before the answer was complete", nil},
		{"answer truncated", truncating.URL, "connection closed before the answer was complete", nil},
		{"nobody listens", gone.URL, "connection refused", nil},
		{"name unknown", "https://dbs.example", "the host's name could not be resolved", noName},
		{"plain server", strings.Replace(plain.URL, "http:", "https:", 1), "the server does not speak TLS", nil},
		{"unknown authority", secure.URL, "the server's certificate is signed by an unknown authority", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t, dbsapi.Options{Endpoint: tt.endpoint, HTTPClient: tt.client})
			_, _, err := listAt(t.Context(), c, dbsapi.Pace{OneAttempt: true})
			if want := dbsapi.ActionDownloadTasks + ": network: " + tt.want; err == nil || err.Error() != want {
				t.Errorf("error is %v, want %s", err, want)
			}
		})
	}
}

func TestPermissionAndClock(t *testing.T) {
	sim := newSimulator(3)
	c := serve(t, sim, dbsapi.Options{})
	tests := []struct {
		fault      dbssim.Fault
		permission string
		badClock   bool
	}{
		{dbssim.Failing(403, "Forbidden.RAM"), "dbs:DescribeBackupSetDownloadTaskList", false},
		{dbssim.HTMLPage(403), "", false},
		{dbssim.Failing(403, ""), "", false},
		{dbssim.Failing(403, "SomethingNew"), "dbs:DescribeBackupSetDownloadTaskList", false},
		{dbssim.Failing(400, "InvalidTimeStamp.Expired"), "", true},
		{dbssim.Failing(400, "IllegalTimestamp"), "", true},
		{dbssim.Failing(400, "SignatureDoesNotMatch"), "", false},
	}
	for _, tt := range tests {
		sim.SetFault(testPlan, tt.fault)
		_, _, err := list(t.Context(), c)
		var apiErr *dbsapi.Error
		if !errors.As(err, &apiErr) {
			t.Fatal(err)
		}
		if apiErr.Permission() != tt.permission || apiErr.BadClock() != tt.badClock {
			t.Errorf("%v: permission %q, bad clock %t", err, apiErr.Permission(), apiErr.BadClock())
		}
	}
}
