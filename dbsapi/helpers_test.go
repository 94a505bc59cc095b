package dbsapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

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

var testCredentials = credentials.NewStatic(testKeyID, testSecret, testToken)

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
			reasons = append(reasons, string(a.Err.Reason))
		}
	}
	return reasons
}

// sent returns how many requests were sent.
func (o *observer) sent() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, a := range o.attempts {
		if a.Sent {
			n++
		}
	}
	return n
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

// list reads a whole listing at once.
func list(ctx context.Context, c *dbsapi.Client) ([]dbsapi.DownloadTask, int64, error) {
	return listAt(ctx, c, dbsapi.Pace{})
}

// listAt reads a whole listing at a pace.
func listAt(ctx context.Context, c *dbsapi.Client, p dbsapi.Pace) (tasks []dbsapi.DownloadTask, total int64, err error) {
	for page, err := range c.DownloadTasks(ctx, dbsapi.TaskQuery{PlanID: testPlan}, p) {
		if err != nil {
			return tasks, total, err
		}
		if page.Number == 0 {
			tasks = nil // the list starts, be it again
		}
		tasks, total = append(tasks, page.Items...), page.TotalElements
	}
	return tasks, total, nil
}

// budget is the pace of a poll that may take d.
func budget(d time.Duration) dbsapi.Pace { return dbsapi.Pace{Budget: dbsapi.NewBudget(d)} }

func reasonOf(t *testing.T, err error) dbsapi.Reason {
	t.Helper()
	var apiErr *dbsapi.Error
	if !errors.As(err, &apiErr) {
		t.Fatalf("error %v is no *dbsapi.Error", err)
	}
	return apiErr.Reason
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
