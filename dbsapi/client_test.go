package dbsapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/credentials"
	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// Marks that must not show up in any output.
const (
	testKeyID  = "LTAI-key-id-mark"
	testSecret = "secret-mark"
	testToken  = "CAIS/token+mark=="
	testPlan   = "dbsqhnuhyw3abcd"
)

var testCredentials = credentials.Static{AccessKeyID: testKeyID, AccessKeySecret: testSecret, SecurityToken: testToken}

// observer collects what a client reports.
type observer struct {
	mu       sync.Mutex
	attempts []dbsapi.Attempt
}

func (o *observer) observe(a dbsapi.Attempt) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.attempts = append(o.attempts, a)
}

func (o *observer) reasons() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var reasons []string
	for _, a := range o.attempts {
		if a.Err == nil {
			reasons = append(reasons, "good")
		} else {
			reasons = append(reasons, string(a.Err.Reason()))
		}
	}
	return reasons
}

// newSimulator has one plan with that many finished tasks.
func newSimulator(tasks int) *dbssim.Simulator {
	created := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	list := make([]dbssim.Task, tasks)
	for i := range list {
		list[i] = dbssim.Task{
			ID: fmt.Sprintf("task%04d", i), Status: "finish", Bytes: int64(i), Created: created, Finished: created.Add(time.Minute),
		}
	}
	return dbssim.New(nil, dbssim.Account{
		AccessKeyID: testKeyID, AccessKeySecret: testSecret, SecurityToken: testToken,
		Plans: []dbssim.Plan{{ID: testPlan, Name: "orders", Region: "cn-hangzhou", DatabaseType: "MySQL", AutoDownload: true, Tasks: dbssim.Fixed(list...)}},
	})
}

// serve runs a handler on a loopback port and returns a client of it.
func serve(t *testing.T, h http.Handler, o dbsapi.Options) *dbsapi.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	o.Endpoint = server.URL
	return newClient(t, o)
}

func newClient(t *testing.T, o dbsapi.Options) *dbsapi.Client {
	t.Helper()
	if o.Credentials == nil {
		o.Credentials = testCredentials
	}
	c, err := dbsapi.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// inMemory answers requests without a network, which lets synctest run time forward.
type inMemory struct{ http.Handler }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	aborted := m.serve(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	resp := w.Result()
	switch {
	case aborted && w.Body.Len() == 0:
		return nil, io.EOF
	case aborted:
		resp.Body = io.NopCloser(io.MultiReader(resp.Body, iotest.ErrReader(io.ErrUnexpectedEOF)))
	}
	return resp, nil
}

// serve reports whether the handler gave up its connection.
func (m inMemory) serve(w http.ResponseWriter, r *http.Request) (aborted bool) {
	defer func() { aborted = recover() != nil }()
	m.ServeHTTP(w, r)
	return false
}

func inMemoryClient(t *testing.T, h http.Handler, o dbsapi.Options) *dbsapi.Client {
	t.Helper()
	o.Endpoint = "dbs-api.cn-hangzhou.aliyuncs.com"
	o.HTTPClient = &http.Client{Transport: inMemory{h}}
	return newClient(t, o)
}

// list reads a whole listing.
func list(ctx context.Context, c *dbsapi.Client) (tasks []dbsapi.DownloadTask, total int64, err error) {
	for page, err := range c.DownloadTasks(ctx, dbsapi.TaskQuery{PlanID: testPlan}) {
		if err != nil {
			return tasks, total, err
		}
		tasks, total = append(tasks, page.Items...), page.TotalElements
	}
	return tasks, total, nil
}

func reasonOf(t *testing.T, err error) dbsapi.Reason {
	t.Helper()
	var apiErr *dbsapi.Error
	if !errors.As(err, &apiErr) {
		t.Fatalf("error %v is no *dbsapi.Error", err)
	}
	return apiErr.Reason()
}

func TestPaging(t *testing.T) {
	tests := []struct {
		name     string
		tasks    int
		fault    dbssim.Fault
		want     int // rows
		distinct int
		requests int
		err      error
	}{
		{name: "no task", tasks: 0, requests: 1},
		{name: "one task", tasks: 1, want: 1, distinct: 1, requests: 1},
		{name: "one row short of a page", tasks: 99, want: 99, distinct: 99, requests: 1},
		{name: "exactly one page", tasks: 100, want: 100, distinct: 100, requests: 1},
		{name: "one row over a page", tasks: 101, want: 101, distinct: 101, requests: 2},
		{name: "three pages", tasks: 230, want: 230, distinct: 230, requests: 3},
		{name: "exactly two pages", tasks: 200, want: 200, distinct: 200, requests: 2},
		{name: "no totals", tasks: 230, fault: dbssim.WrongTotals(0, 0), want: 230, distinct: 230, requests: 3},
		{name: "no totals, full last page", tasks: 200, fault: dbssim.WrongTotals(0, 0), want: 200, distinct: 200, requests: 3},
		{name: "TotalPages too low", tasks: 230, fault: dbssim.WrongTotals(1, 230), want: 230, distinct: 230, requests: 3},
		{name: "both totals too low", tasks: 230, fault: dbssim.WrongTotals(1, 100), want: 100, distinct: 100, requests: 1},
		{name: "totals too high", tasks: 230, fault: dbssim.WrongTotals(9, 900), want: 230, distinct: 230, requests: 3},
		{name: "totals too high, full last page", tasks: 200, fault: dbssim.WrongTotals(9, 900), want: 200, distinct: 200, requests: 3},
		{name: "pages counted from one", tasks: 230, fault: dbssim.Fault{OneBased: true}, want: 230, distinct: 230, requests: 4},
		{name: "pages counted from one, one page", tasks: 30, fault: dbssim.Fault{OneBased: true}, want: 30, distinct: 30, requests: 1},
		{name: "one page for ever", tasks: 230, fault: dbssim.Fault{Repeat: true}, want: 100, distinct: 100, requests: 3, err: dbsapi.ErrIncomplete},
		{
			name: "server gives less than asked for", tasks: 90, requests: 3, want: 90, distinct: 90,
			fault: dbssim.Fault{MaxPageSize: 30},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sim := newSimulator(tt.tasks)
			sim.SetFault(testPlan, tt.fault)
			tasks, _, err := list(t.Context(), serve(t, sim, dbsapi.Options{}))
			if !errors.Is(err, tt.err) {
				t.Errorf("error is %v, want %v", err, tt.err)
			}
			ids := make(map[string]bool)
			for _, task := range tasks {
				ids[task.ID] = true
			}
			if len(tasks) != tt.want || len(ids) != tt.distinct {
				t.Errorf("got %d rows with %d IDs, want %d with %d", len(tasks), len(ids), tt.want, tt.distinct)
			}
			requests := sim.Requests()
			if len(requests) != tt.requests {
				t.Errorf("made %d requests, want %d", len(requests), tt.requests)
			}
			for i, r := range requests {
				if r.Page != i || r.PlanID != testPlan || r.Action != dbsapi.ActionDownloadTasks {
					t.Errorf("request %d is %+v", i, r)
				}
			}
		})
	}
}

// A list that never ends costs a bounded number of requests, and what came is kept.
func TestPageCap(t *testing.T) {
	requests := 0
	endless := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		var rows []string
		for i := range 100 {
			rows = append(rows, fmt.Sprintf(`{"BackupSetDownloadTaskId":"t%d-%d"}`, requests, i))
		}
		fmt.Fprintf(w, `{"Success":true,"Items":[%s]}`, strings.Join(rows, ","))
	})
	tasks, _, err := list(t.Context(), inMemoryClient(t, endless, dbsapi.Options{}))
	if !errors.Is(err, dbsapi.ErrIncomplete) || len(tasks) != 100_000 || requests != 1000 {
		t.Errorf("got %d tasks after %d requests and error %v", len(tasks), requests, err)
	}
}

// An empty first page of a list that is said to have rows must not pass for "no tasks".
func TestEmptyPageOfFullList(t *testing.T) {
	sim := newSimulator(0)
	sim.SetFault(testPlan, dbssim.WrongTotals(3, 230))
	_, _, err := list(t.Context(), serve(t, sim, dbsapi.Options{}))
	if got := reasonOf(t, err); got != dbsapi.ReasonDecode {
		t.Errorf("reason is %s", got)
	}
	if want := "DescribeBackupSetDownloadTaskList: decode: the first page is empty though the list has 230 elements (HTTP 200, request "; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error is %q, want the start %q", err, want)
	}
}

// Leaving a listing early makes no further request.
func TestStopListing(t *testing.T) {
	sim := newSimulator(230)
	c := serve(t, sim, dbsapi.Options{})
	for range c.DownloadTasks(t.Context(), dbsapi.TaskQuery{PlanID: testPlan}) {
		break
	}
	if n := len(sim.Requests()); n != 1 {
		t.Errorf("made %d requests, want 1", n)
	}
}

func TestTaskQuery(t *testing.T) {
	sim := newSimulator(230)
	c := serve(t, sim, dbsapi.Options{})
	var got []string
	for page, err := range c.DownloadTasks(t.Context(), dbsapi.TaskQuery{TaskID: "task0203"}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range page.Items {
			got = append(got, task.ID)
		}
	}
	if diff := cmp.Diff([]string{"task0203"}, got); diff != "" {
		t.Error(diff)
	}
	for _, q := range []dbsapi.TaskQuery{{}, {PlanID: "a", TaskID: "b"}} {
		for _, err := range c.DownloadTasks(t.Context(), q) {
			if err == nil || err.Error() != "list download tasks: want either a plan ID or a task ID" {
				t.Errorf("%+v: error is %v", q, err)
			}
		}
	}
	if n := len(sim.Requests()); n != 1 {
		t.Errorf("made %d requests, want 1", n)
	}
}

func TestBackupPlans(t *testing.T) {
	sim := newSimulator(0)
	for i := range 120 {
		sim.SetPlan(dbssim.Plan{ID: fmt.Sprintf("dbs%03d", i), Region: "cn-shanghai", Status: "pause"})
	}
	c := serve(t, sim, dbsapi.Options{})
	var here, there []dbsapi.BackupPlan
	for page, err := range c.BackupPlans(t.Context(), dbsapi.PlanQuery{Region: "cn-hangzhou"}) {
		if err != nil {
			t.Fatal(err)
		}
		here = append(here, page.Items...)
	}
	for page, err := range c.BackupPlans(t.Context(), dbsapi.PlanQuery{Region: "cn-shanghai"}) {
		if err != nil {
			t.Fatal(err)
		}
		there = append(there, page.Items...)
	}
	want := []dbsapi.BackupPlan{{
		ID: testPlan, Name: "orders", Status: "running", DatabaseType: "MySQL", AutoDownload: true, AutoDownloadKnown: true,
	}}
	if diff := cmp.Diff(want, here); diff != "" {
		t.Error(diff)
	}
	if len(there) != 120 || there[119].ID != "dbs119" || there[119].Status != "pause" || there[119].AutoDownload {
		t.Errorf("got %d plans of the other region, the last %+v", len(there), there[len(there)-1])
	}
}

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
		{"code that is no word", fail(400, "<b>"+testToken), "invalid_request", 1, "invalid_request (HTTP 400, request"},
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

// checkNoLeak searches a text for what must not be in it.
func checkNoLeak(t *testing.T, text string) {
	t.Helper()
	for _, mark := range []string{testKeyID, testSecret, testToken, "token", "Signature=", "127.0.0.1", "?", dbssim.FreeText, dbssim.CapabilityURL, testPlan} {
		if strings.Contains(text, mark) {
			t.Errorf("%q holds %q", text, mark)
		}
	}
}

// The gateway repeats what it signed, session token included; the message is cut before that.
func TestSignatureErrorIsCut(t *testing.T) {
	sim := newSimulator(3)
	c := serve(t, sim, dbsapi.Options{Credentials: credentials.Static{AccessKeyID: testKeyID, AccessKeySecret: "wrong", SecurityToken: testToken}})
	_, _, err := list(t.Context(), c)
	var apiErr *dbsapi.Error
	if !errors.As(err, &apiErr) {
		t.Fatal(err)
	}
	if want := "Specified signature is not matched with our calculation."; apiErr.Message != want {
		t.Errorf("message is %q, want %q", apiErr.Message, want)
	}
	if apiErr.Code != "SignatureDoesNotMatch" || apiErr.HTTPStatus != 400 || apiErr.Reason() != dbsapi.ReasonAuth {
		t.Errorf("error is %v", err)
	}
	checkNoLeak(t, fmt.Sprintf("%v %+v", err, apiErr))
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
	tests := []struct{ name, endpoint, want string }{
		{"connection dropped", dropping.URL, "connection closed before the answer was complete"},
		{"answer truncated", truncating.URL, "connection closed before the answer was complete"},
		{"nobody listens", gone.URL, "connection refused"},
		{"name unknown", "https://does-not-exist.invalid", "the host's name could not be resolved"},
		{"plain server", strings.Replace(plain.URL, "http:", "https:", 1), "connection failed"},
		{"unknown authority", secure.URL, "the server's certificate is signed by an unknown authority"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Time for one attempt, not for a wait and another.
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			_, _, err := list(ctx, newClient(t, dbsapi.Options{Endpoint: tt.endpoint}))
			if want := dbsapi.ActionDownloadTasks + ": network: " + tt.want; err == nil || err.Error() != want {
				t.Errorf("error is %v, want %s", err, want)
			}
		})
	}
}

// What may heal is retried until it has healed, each time with a signature of its own.
func TestRetryUntilGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSimulator(3)
		fault := dbssim.Failing(503, "ServiceUnavailable")
		fault.Times = 3
		sim.SetFault(testPlan, fault)
		var o observer
		start := time.Now()
		tasks, _, err := list(t.Context(), inMemoryClient(t, sim, dbsapi.Options{Observe: o.observe}))
		if err != nil || len(tasks) != 3 {
			t.Fatalf("got %d tasks and %v", len(tasks), err)
		}
		if diff := cmp.Diff([]string{"server", "server", "server", "good"}, o.reasons()); diff != "" {
			t.Error(diff)
		}
		// 0.5 s, 1 s and 2 s, each spread by half.
		if took := time.Since(start); took < 1750*time.Millisecond || took > 5250*time.Millisecond {
			t.Errorf("took %v", took)
		}
		nonces := make(map[string]bool)
		for _, r := range sim.Requests() {
			nonces[r.Nonce] = true
		}
		if len(nonces) != 4 {
			t.Errorf("%d nonces for 4 requests", len(nonces))
		}
	})
}

// The time that the server names is waited for, by every client that shares the limiter.
func TestThrottleTimeIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSimulator(3)
		fault := dbssim.Throttled(7 * time.Second)
		fault.Times = 1
		sim.SetFault(testPlan, fault)
		limiter := dbsapi.NewLimiter(1000)
		first := inMemoryClient(t, sim, dbsapi.Options{Limiter: limiter})
		second := inMemoryClient(t, sim, dbsapi.Options{Limiter: limiter})
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, _, err := list(t.Context(), first); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			time.Sleep(time.Second)
			if _, _, err := list(t.Context(), second); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took < 7*time.Second {
				t.Errorf("the second client was answered after %v", took)
			}
		})
		wg.Wait()
		if took := time.Since(start); took < 7*time.Second || took > 8*time.Second {
			t.Errorf("took %v, want the 7 s that the server named", took)
		}
		if n := len(sim.Requests()); n != 3 {
			t.Errorf("made %d requests, want 3", n)
		}
	})
}

// Where the wait does not fit into the caller's time, the call ends at once with the error that it would wait for.
func TestNoWaitBeyondDeadline(t *testing.T) {
	tests := []struct {
		name   string
		header http.Header
	}{
		{"quota of the API", http.Header{"X-Ratelimit-User-Api": {"Limit:1,Remain:0,TimeLeft:20000,Reset:1234"}}},
		{"quota of the user", http.Header{"X-Ratelimit-User": {"TimeLeft:20000"}, "X-Ratelimit-User-Api": {"TimeLeft:1"}}},
		{"Retry-After", http.Header{"Retry-After": {"20"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				requests := 0
				throttle := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					requests++
					maps.Copy(w.Header(), tt.header)
					w.WriteHeader(http.StatusBadRequest)
					fmt.Fprint(w, `{"Code":"Throttling.User"}`)
				})
				var o observer
				c := inMemoryClient(t, throttle, dbsapi.Options{Limiter: dbsapi.NewLimiter(10), Observe: o.observe})
				start := time.Now()
				for range 2 {
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
					_, _, err := list(ctx, c)
					cancel()
					if got := reasonOf(t, err); got != dbsapi.ReasonThrottled {
						t.Errorf("reason is %s", got)
					}
				}
				if took := time.Since(start); took > time.Second {
					t.Errorf("took %v, want no wait", took)
				}
				// The second call knows of the pause and asks nobody.
				if requests != 1 || len(o.attempts) != 2 || o.attempts[1].Duration != 0 {
					t.Errorf("made %d requests; attempts %+v", requests, o.attempts)
				}
			})
		})
	}
}

func TestLimiterPacesRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSimulator(230)
		limiter := dbsapi.NewLimiter(2)
		start := time.Now()
		if _, _, err := list(t.Context(), inMemoryClient(t, sim, dbsapi.Options{Limiter: limiter})); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("3 requests at 2 a second took %v, want 1s", took)
		}
		// No slot before the deadline: the call ends at once.
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start = time.Now()
		_, _, err := list(ctx, inMemoryClient(t, sim, dbsapi.Options{Limiter: limiter}))
		if got := reasonOf(t, err); got != dbsapi.ReasonTimeout || time.Since(start) != 0 {
			t.Errorf("error after %v: %v", time.Since(start), err)
		}
		limiter.SetRequestsPerSecond(50)
		if got := limiter.RequestsPerSecond(); got != 50 {
			t.Errorf("rate is %v", got)
		}
	})
}

// One attempt that hangs leaves time for another.
func TestHangingAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSimulator(3)
		sim.SetFault(testPlan, dbssim.Fault{Times: 1, Delay: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		var o observer
		tasks, _, err := list(ctx, inMemoryClient(t, sim, dbsapi.Options{Observe: o.observe}))
		if err != nil || len(tasks) != 3 {
			t.Errorf("got %d tasks and %v", len(tasks), err)
		}
		if diff := cmp.Diff([]string{"timeout", "good"}, o.reasons()); diff != "" {
			t.Error(diff)
		}
		if d := o.attempts[0].Duration; d != 12*time.Second {
			t.Errorf("the first attempt took %v", d)
		}
	})
}

// A caller that leaves gets its own error, and nothing is counted against the API.
func TestCancel(t *testing.T) {
	for _, fault := range []dbssim.Fault{{Delay: time.Hour}, dbssim.Failing(503, "ServiceUnavailable"), dbssim.Throttled(time.Minute)} {
		synctest.Test(t, func(t *testing.T) {
			sim := newSimulator(3)
			sim.SetFault(testPlan, fault)
			ctx, cancel := context.WithCancel(t.Context())
			var o observer
			time.AfterFunc(100*time.Millisecond, cancel)
			start := time.Now()
			_, _, err := list(ctx, inMemoryClient(t, sim, dbsapi.Options{Observe: o.observe, Limiter: dbsapi.NewLimiter(100)}))
			if !errors.Is(err, context.Canceled) || time.Since(start) != 100*time.Millisecond {
				t.Errorf("error after %v: %v", time.Since(start), err)
			}
			for _, a := range o.attempts {
				if a.Err.Reason() == dbsapi.ReasonOther || a.Err.Reason() == dbsapi.ReasonTimeout {
					t.Errorf("counted %v", a.Err)
				}
			}
		})
	}
}

// rotating gives new credentials after each rejection.
type rotating struct {
	credentials.Static
	rejected int
}

func (r *rotating) Get(context.Context) (credentials.Credentials, error) {
	return credentials.Credentials{AccessKeyID: testKeyID, AccessKeySecret: testSecret, SecurityToken: []string{"old", testToken}[min(r.rejected, 1)]}, nil
}

func (r *rotating) Reject(credentials.Credentials) bool { r.rejected++; return true }

// A rejected session token is replaced once.
func TestTokenIsReplaced(t *testing.T) {
	sim := newSimulator(3)
	var o observer
	source := &rotating{}
	tasks, _, err := list(t.Context(), serve(t, sim, dbsapi.Options{Credentials: source, Observe: o.observe}))
	if err != nil || len(tasks) != 3 || source.rejected != 1 {
		t.Errorf("got %d tasks, %d rejections and %v", len(tasks), source.rejected, err)
	}
	if diff := cmp.Diff([]string{"auth", "good"}, o.reasons()); diff != "" {
		t.Error(diff)
	}
	// New tokens do not help here: one more is tried, no third.
	sim.SetFault(testPlan, dbssim.Failing(400, "InvalidSecurityToken.Expired"))
	if _, _, err := list(t.Context(), serve(t, sim, dbsapi.Options{Credentials: source})); reasonOf(t, err) != dbsapi.ReasonAuth || source.rejected != 2 {
		t.Errorf("%d rejections and %v", source.rejected, err)
	}
}

// broken has no credentials.
type broken struct{ credentials.Static }

func (broken) Get(context.Context) (credentials.Credentials, error) {
	return credentials.Credentials{}, errors.New("no source has credentials")
}

func TestNoCredentials(t *testing.T) {
	sim := newSimulator(3)
	var o observer
	_, _, err := list(t.Context(), serve(t, sim, dbsapi.Options{Credentials: broken{}, Observe: o.observe}))
	if want := "DescribeBackupSetDownloadTaskList: credentials: no source has credentials"; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	if len(sim.Requests()) != 0 || len(o.attempts) != 1 || o.attempts[0].Duration != 0 {
		t.Errorf("attempts %+v", o.attempts)
	}
}

func TestObserveGoodAttempt(t *testing.T) {
	sim := newSimulator(3)
	ahead := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		sim.ServeHTTP(w, r)
	})
	var o observer
	if _, _, err := list(t.Context(), serve(t, ahead, dbsapi.Options{Observe: o.observe})); err != nil {
		t.Fatal(err)
	}
	a := o.attempts[0]
	if a.Action != dbsapi.ActionDownloadTasks || a.Err != nil || a.Duration <= 0 {
		t.Errorf("attempt is %+v", a)
	}
	if skew := a.ServerTime.Sub(a.LocalTime); skew < time.Hour-2*time.Second || skew > time.Hour+time.Second {
		t.Errorf("server is ahead by %v, want an hour", skew)
	}
}

// An answer without bound ends at 8 MiB.
func TestAnswerIsBounded(t *testing.T) {
	sent := 0
	endless := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		chunk := []byte(strings.Repeat(" ", 1<<20))
		for range 64 {
			n, err := w.Write(chunk)
			if sent += n; err != nil {
				return
			}
		}
	})
	_, _, err := list(t.Context(), serve(t, endless, dbsapi.Options{}))
	if want := "DescribeBackupSetDownloadTaskList: decode: the answer exceeds 8 MiB (HTTP 200)"; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}

// A redirect would carry the session token to another host.
func TestRedirectIsNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("followed with headers %v", r.Header)
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		sim := newSimulator(3)
		sim.SetFault(testPlan, dbssim.Fault{Status: status, Location: elsewhere.URL})
		_, _, err := list(t.Context(), serve(t, sim, dbsapi.Options{}))
		if got := reasonOf(t, err); got != dbsapi.ReasonOther {
			t.Errorf("%d: reason is %s", status, got)
		}
	}
}

func TestNewRejectsEndpoint(t *testing.T) {
	_, err := dbsapi.New(dbsapi.Options{Endpoint: "http://user:password-mark@dbs.example"})
	if err == nil || err.Error() != "endpoint: must not hold a user name or password" {
		t.Errorf("error is %v", err)
	}
}

// Every reason has advice; that for a missing permission names the action.
func TestAdvice(t *testing.T) {
	sim := newSimulator(3)
	c := serve(t, sim, dbsapi.Options{})
	tests := []struct {
		fault dbssim.Fault
		want  string
	}{
		{dbssim.Failing(403, "Forbidden.RAM"), "Grant the RAM action dbs:DescribeBackupSetDownloadTaskList on resource * to the identity in use."},
		{dbssim.Failing(400, "InvalidTimeStamp.Expired"), "Set this machine's clock: the API rejects requests that are over 15 minutes off."},
		{dbssim.Failing(400, "SignatureDoesNotMatch"), "Check that the access key is active, and that its secret or session token belongs to it."},
		{dbssim.Failing(400, "Param.NotFound"), "Check that the backup plan still exists, and that it belongs to this account and region."},
		{dbssim.HTMLPage(200), "Check that the endpoint is the DBS API and that no proxy or portal answers in its place."},
	}
	for _, tt := range tests {
		sim.SetFault(testPlan, tt.fault)
		_, _, err := list(t.Context(), c)
		var apiErr *dbsapi.Error
		if !errors.As(err, &apiErr) || apiErr.Advice() != tt.want {
			t.Errorf("%v: advice is %q, want %q", err, apiErr.Advice(), tt.want)
		}
	}
}
