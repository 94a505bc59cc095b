package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"aliyun_dbs_exporter/dbsapi/dbssim"

	"test/internal/exporter"
)

// failures is the series that counts a plan list's failed attempts by reason.
func failures(reason string) string {
	return fmt.Sprintf(`aliyun_dbs_api_request_failures_total{account="acme",region_id="cn-hangzhou",action="DescribeBackupSetDownloadTaskList",reason=%q}`, reason)
}

// The API dies in the middle of polls: the page stays, with the last good data until it is too old, and says so. When
// the API is back, so is the data, by itself.
func TestAPIDies(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(finished(120)...)}, dbssim.Plan{ID: "dbsb"})
	p := exporter.Start(t, exporter.Options{Config: e.config("poll_timeout: 900ms\nstale_after: 3s", "dbsa", "dbsb")})
	p.Polled()
	e.SetFault("dbsa", dbssim.Fault{Delay: 500 * time.Millisecond})
	e.down()
	expectSoon(p, t, map[string]float64{
		plan("poll_success", "dbsa", ""):                   0,
		plan("poll_success", "dbsb", ""):                   0,
		plan("download_tasks", "dbsa", `,status="finish"`): 120,
		plan("download_listing_complete", "dbsb", ""):      1,
	})
	exporter.Eventually(t, func() error {
		if v, ok := p.Metrics().Value(plan("download_tasks", "dbsa", `,status="finish"`)); ok {
			return fmt.Errorf("still published: %v tasks", v)
		}
		return nil
	})
	page := p.Metrics()
	if page.Sum("aliyun_dbs_plan_info") != 2 || page[exporter.Series(failures("network"))] == 0 {
		t.Errorf("plan_info is %v, network failures are %v", page.Sum("aliyun_dbs_plan_info"), page[exporter.Series(failures("network"))])
	}
	checkMetrics(t, p.Get("/metrics"))
	e.ClearFault("dbsa")
	e.up()
	expectSoon(p, t, map[string]float64{
		plan("poll_success", "dbsa", ""):                   1,
		plan("download_tasks", "dbsa", `,status="finish"`): 120,
		plan("download_tasks_finished_total", "dbsa", ""):  0,
	})
}

// Nonsense of one plan is counted by its kind, keeps its last good data, and leaves the other plan alone.
func TestNonsense(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault  dbssim.Fault
		reason string
	}{
		"throttled":      {dbssim.Throttled(time.Millisecond), "throttled"},
		"forbidden":      {dbssim.Failing(403, "Forbidden.RAM"), "forbidden"},
		"bad key":        {dbssim.Failing(404, "InvalidAccessKeyId.NotFound"), "auth"},
		"bad token":      {dbssim.Failing(400, "InvalidSecurityToken.Expired"), "auth"},
		"plan gone":      {dbssim.Failing(400, "Param.NotFound"), "not_found"},
		"unknown call":   {dbssim.Failing(404, "InvalidAction.NotFound"), "invalid_request"},
		"broken service": {dbssim.Failing(500, "InternalError"), "server"},
		"gateway page":   {dbssim.HTMLPage(502), "server"},
		"portal":         {dbssim.HTMLPage(200), "decode"},
		"cut off":        {dbssim.Fault{Truncate: true}, "network"},
		"dropped":        {dbssim.Fault{Drop: true}, "network"},
		"hangs":          {dbssim.Fault{Delay: time.Minute}, "timeout"},
		"redirect":       {dbssim.Fault{Status: 302, Location: "http://127.0.0.1:1/"}, "other"},
		"wrong totals":   {dbssim.Fault{Envelope: func(m map[string]any) { m["Items"], m["TotalElements"] = nil, 120 }}, "decode"},
		"not successful": {dbssim.Fault{Envelope: func(m map[string]any) { m["Success"] = false }}, "not_found"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t, dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(finished(120)...)}, dbssim.Plan{ID: "dbsb", Tasks: dbssim.Fixed(finished(2)...)})
			p := exporter.Start(t, exporter.Options{Config: e.config("stale_after: 1h", "dbsa", "dbsb"), Args: []string{"--log.level=debug"}})
			p.Polled()
			e.SetFault("dbsa", tt.fault)
			exporter.Eventually(t, func() error {
				page := p.Metrics()
				if err := page.Is(plan("poll_success", "dbsa", ""), 0); err != nil {
					return err
				}
				if page[exporter.Series(failures(tt.reason))] == 0 {
					return fmt.Errorf("no failure counts as %s", tt.reason)
				}
				return nil
			})
			before := p.Metrics()[exporter.Series(plan("polls_total", "dbsb", ""))]
			expectSoon(p, t, map[string]float64{
				plan("download_tasks", "dbsa", `,status="finish"`): 120,
				plan("poll_success", "dbsb", ""):                   1,
			})
			for line := range strings.Lines(p.Stderr.String()) {
				if strings.Contains(line, "plan_id=dbsb") && strings.Contains(line, `msg="Poll failed"`) && !outOfTime(line) {
					t.Errorf("the plan beside it failed: %s", line)
				}
			}
			exporter.Eventually(t, func() error {
				if p.Metrics()[exporter.Series(plan("polls_total", "dbsb", ""))] <= before {
					return errNothingChanges
				}
				return nil
			})
			all := p.Stderr.String()
			for _, path := range []string{"/metrics", "/", "/-/healthy", "/-/ready", "/-/reload", "/api/v1/status"} {
				all += p.Do(http.MethodGet, path).Body
			}
			searchFor(t, "pages and log", all)
			// On a busy machine the end of a poll's time can hide its reason; the next poll shows it.
			exporter.Eventually(t, func() error {
				if !strings.Contains(p.Stderr.String(), tt.reason+"=1") {
					return fmt.Errorf("the log does not say %s:\n%s", tt.reason, p.Stderr)
				}
				return nil
			})
			e.ClearFault("dbsa")
			expectSoon(p, t, map[string]float64{plan("poll_success", "dbsa", ""): 1})
		})
	}
}

// outOfTime reports whether a log line is about a poll that missed its second, which every poll can on a busy machine: at
// a request, or before one while it had no credentials yet.
func outOfTime(line string) bool {
	return strings.Contains(line, "time ran out") || strings.Contains(line, "credentials: context deadline exceeded")
}

// The process is healthy from the start, and ready once every plan has been polled.
func TestReady(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, dbssim.Plan{ID: "dbsa"})
	e.SetFault("dbsa", dbssim.Fault{Delay: 5 * time.Second, Times: 1}) // there is time to ask before it ends
	p := exporter.Start(t, exporter.Options{Config: strings.Replace(e.config("poll_timeout: 50s", "dbsa"), "poll_interval: 1s", "poll_interval: 1m", 1)})
	if answer := p.Do(http.MethodGet, "/-/healthy"); answer.Code != http.StatusOK {
		t.Errorf("healthy answers %d", answer.Code)
	}
	if answer := p.Do(http.MethodGet, "/-/ready"); answer.Code != http.StatusServiceUnavailable || !strings.Contains(answer.Body, "account acme in cn-hangzhou") {
		t.Errorf("ready answers %d: %s", answer.Code, answer.Body)
	}
	p.Ready()
	if _, ok := p.Metrics().Value(plan("poll_success", "dbsa", "")); !ok {
		t.Error("ready without a poll")
	}
}
