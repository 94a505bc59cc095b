package web_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"html"
	"io"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/version"

	"aliyun_dbs_exporter/collector"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/web"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// wire connects a collector and a simulator in memory, so that synctest can run time forward.
type wire struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (w *wire) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case w.conns <- server:
		return client, nil
	case <-w.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (w *wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *wire) Close() error   { close(w.closed); return nil }
func (w *wire) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

// site is the exporter's pages over a collector that polls a simulator.
type site struct {
	testing.TB
	sim       *dbssim.Simulator
	collector *collector.Collector
	options   web.Options
	handler   http.Handler
}

// key is what the simulated account asks for.
const (
	keyID     = "key-id-mark"
	keySecret = "key-secret-mark"
	keyToken  = "key-token-mark"
)

// target is the beginning of a target in a configuration; its list of plans follows.
func target(account, region string) string {
	return `
  - account: ` + account + `
    region_id: ` + region + `
    endpoint: http://127.0.0.1:1
    requests_per_second: 1000
    max_concurrent_requests: 1
    credentials: {type: sts, access_key_id: ` + keyID + `, access_key_secret: ` + keySecret + `, security_token: ` + keyToken + `}
`
}

func newSite(t testing.TB, config string, plans ...dbssim.Plan) *site {
	t.Helper()
	version.Version, version.Revision = "1.2.3", "0123456789abcdef"
	s := &site{TB: t, sim: dbssim.New(nil, dbssim.Account{
		AccessKeyID: keyID, AccessKeySecret: keySecret, SecurityToken: keyToken, Plans: plans,
	})}
	network := &wire{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: s.sim, ErrorLog: stdlog.New(io.Discard, "", 0)}
	served := make(chan struct{})
	go func() { defer close(served); server.Serve(network) }()
	t.Cleanup(func() { server.Close(); <-served })

	parsed, err := collector.ParseConfig([]byte(config), "config.yml")
	if err != nil {
		t.Fatal(err)
	}
	if s.collector, err = collector.New(parsed, collector.Options{Dial: network.dial}, log.NewNopLogger()); err != nil {
		t.Fatal(err)
	}
	s.options = web.Options{
		Collector:     s.collector,
		Registry:      prometheus.NewRegistry(),
		ConfigFile:    "/etc/aliyun_dbs_exporter/config.yml",
		TelemetryPath: "/metrics",
		Logger:        slog.New(slog.DiscardHandler),
	}
	if s.handler, err = web.Handler(s.options); err != nil {
		t.Fatal(err)
	}
	return s
}

// run polls until the end of the test, and waits for the first round.
func (s *site) run() {
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.collector.Run(ctx) }()
	s.Cleanup(func() { cancel(); <-ended })
	pass(time.Second)
}

// pass lets time pass, and everything settle that is to happen by then.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// get returns a page that must be there.
func (s *site) get(path string) string {
	s.Helper()
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody))
	if w.Code != http.StatusOK {
		s.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

var (
	markup = regexp.MustCompile(`(?s)<!.*?>|<head>.*?</head>|</?[a-z][^>]*>`)
	inline = regexp.MustCompile(`</?(span|time|strong|a|input|label|button)\b[^>]*>`)
	blanks = regexp.MustCompile(`\s*\n\s*`)
	// varying is what differs from run to run: request IDs of the simulator, the directory of a test's files, and times
	// after a retry, which waits for a random time.
	varying = regexp.MustCompile(`\b[A-Z2-7]{26}\b|/\S*/(token)\b|2000-01-01T00:00:\d\d\.\d{4,9}Z`)
)

// text is what a page says, a block each line.
func text(page string) string {
	page = inline.ReplaceAllString(page, "")
	page = markup.ReplaceAllString(page, "\n")
	return strings.TrimSpace(html.UnescapeString(blanks.ReplaceAllString(page, "\n"))) + "\n"
}

// golden compares the status, as page and as document, with files.
func (s *site) golden(name string) {
	s.Helper()
	var document any
	if err := json.Unmarshal([]byte(s.get("/api/v1/status")), &document); err != nil {
		s.Fatal(err)
	}
	indented, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		s.Fatal(err)
	}
	for file, got := range map[string]string{name + ".txt": text(s.get("/")), name + ".json": string(indented) + "\n"} {
		got = varying.ReplaceAllString(got, "VARYING")
		path := filepath.Join("testdata", "status", file)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				s.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			s.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			s.Errorf("%s: %s", path, diff)
		}
	}
}

func ago(d time.Duration) time.Time { return time.Now().Add(-d) }

// ended is a task that ended some time ago.
func ended(id, status string, age time.Duration) dbssim.Task {
	return dbssim.Task{ID: id, Status: status, Bytes: 1000, Created: ago(age + time.Hour), Finished: ago(age)}
}

// open is a task that was created some time ago and has not ended.
func open(id, status string, age time.Duration) dbssim.Task {
	return dbssim.Task{ID: id, Status: status, Bytes: 1000, Created: ago(age)}
}

func TestStatus(t *testing.T) {
	oneTarget := "poll_interval: 1m\ntargets:" + target("acme", "cn-hangzhou")
	tests := map[string]func(*testing.T) *site{
		"before the first poll": func(t *testing.T) *site {
			return newSite(t, oneTarget+"    plans: [{id: dbsa, name: orders}]\n")
		},
		"every state": func(t *testing.T) *site {
			s := newSite(t, oneTarget+`    plans:
      - {id: dbsgood, name: good}
      - {id: dbsempty}
      - {id: dbsoverdue, name: overdue, max_success_age: 26h}
      - {id: dbsnever, name: never, max_success_age: 26h}
      - {id: dbsfailed, name: failed}
      - {id: dbsprecheck, name: precheck}
      - {id: dbscut, name: cut}
      - {id: dbsgone, name: gone}
`,
				dbssim.Plan{ID: "dbsgood", DatabaseType: "MySQL", Tasks: dbssim.Fixed(
					open("h", "weird", time.Minute), open("g", "pause", time.Minute), open("f", "running", time.Minute),
					open("e", "schedule", time.Minute), open("d", "check_pass", time.Minute), open("c", "checking", time.Minute),
					ended("b", "finish", 3*time.Hour+20*time.Minute), ended("a", "stop", 5*24*time.Hour))},
				dbssim.Plan{ID: "dbsempty"},
				dbssim.Plan{ID: "dbsoverdue", Tasks: dbssim.Fixed(ended("a", "finish", 27*time.Hour))},
				dbssim.Plan{ID: "dbsnever"},
				dbssim.Plan{ID: "dbsfailed", Tasks: dbssim.Fixed(ended("b", "stop", time.Minute), ended("a", "finish", 25*time.Hour))},
				dbssim.Plan{ID: "dbsprecheck", Tasks: dbssim.Fixed(open("b", "init", time.Minute), ended("a", "stop", time.Hour))},
				dbssim.Plan{ID: "dbscut", Tasks: dbssim.Fixed(ended("a", "finish", time.Hour))},
			)
			s.sim.SetFault("dbscut", dbssim.WrongTotals(1, 7))
			s.run()
			pass(10 * time.Second)
			return s
		},
		"every reason": everyReason,
		"old data, then none": func(t *testing.T) *site {
			s := newSite(t, oneTarget+"    plans: [{id: dbsold, name: old}, {id: dbsdropped, name: dropped}]\n",
				dbssim.Plan{ID: "dbsold", Tasks: dbssim.Fixed(ended("a", "finish", time.Hour))},
				dbssim.Plan{ID: "dbsdropped", Tasks: dbssim.Fixed(ended("a", "finish", time.Hour))})
			s.run()
			s.sim.SetFault("dbsdropped", dbssim.Failing(403, "Forbidden.RAM"))
			pass(3 * time.Minute)
			s.sim.SetFault("dbsold", dbssim.Failing(403, "Forbidden.RAM"))
			pass(3 * time.Minute)
			return s
		},
		"round in progress": func(t *testing.T) *site {
			s := newSite(t, oneTarget+"    plans: [{id: dbsa}, {id: dbsb}]\n", dbssim.Plan{ID: "dbsa"}, dbssim.Plan{ID: "dbsb"})
			s.sim.SetFault("dbsb", dbssim.Fault{Delay: 5 * time.Second})
			s.run()
			return s
		},
		"discovery": func(t *testing.T) *site {
			discovery := "    discovery: {enabled: true}\n"
			s := newSite(t, "targets:"+target("some", "cn-hangzhou")+discovery+target("none", "cn-shanghai")+discovery,
				dbssim.Plan{ID: "dbsa", Name: "found", Region: "cn-hangzhou", Status: "running"})
			s.run()
			return s
		},
		"discovery pending": func(t *testing.T) *site {
			s := newSite(t, oneTarget+"    discovery: {enabled: true}\n")
			s.sim.SetFault("DescribeBackupPlanList", dbssim.Fault{Delay: 5 * time.Second})
			s.run()
			return s
		},
		"discovery fails": func(t *testing.T) *site {
			s := newSite(t, "targets:"+target("acme", "cn-hangzhou")+"    discovery: {enabled: true}\n")
			s.sim.SetFault("DescribeBackupPlanList", dbssim.Failing(403, "NoPermission"))
			s.run()
			return s
		},
		"reload failed, budget too small": func(t *testing.T) *site {
			config := strings.Replace(oneTarget, "1000", "0.02", 1) + "    plans: [{id: dbsa}, {id: dbsb}]\n"
			s := newSite(t, config, dbssim.Plan{ID: "dbsa"}, dbssim.Plan{ID: "dbsb"})
			pass(90 * time.Minute)
			_, err := collector.ParseConfig([]byte("targets:\n  - acount: "+keySecret), "config.yml")
			s.collector.LoadFailed(err)
			return s
		},
	}
	for name, site := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { site(t).golden(strings.NewReplacer(" ", "_", ",", "").Replace(name)) })
		})
	}
}

// everyReason is a site with a plan for each reason for which a poll can fail.
func everyReason(t *testing.T) *site {
	faults := []struct {
		plan  string
		fault dbssim.Fault
	}{
		{"auth", dbssim.Failing(403, "InvalidAccessKeyId.NotFound")},
		{"clock", dbssim.Failing(400, "InvalidTimeStamp.Expired")},
		{"forbidden", dbssim.Failing(403, "Forbidden.RAM")},
		{"invalid", dbssim.Failing(400, "InvalidAction.NotFound")},
		{"server", dbssim.HTMLPage(502)},
		{"timeout", dbssim.Fault{Delay: time.Hour}},
		{"network", dbssim.Fault{Drop: true}},
		{"decode", dbssim.HTMLPage(200)},
		{"other", dbssim.Fault{Status: 302, Location: "https://" + dbssim.CapabilityURL + "/?" + keyToken}},
	}
	config := "poll_interval: 24h\npoll_timeout: 30s\ntargets:" + target("acme", "cn-hangzhou") + "    plans:\n      - {id: dbsnotfound}\n"
	var plans []dbssim.Plan
	for _, f := range faults {
		config += "      - {id: dbs" + f.plan + "}\n"
		plans = append(plans, dbssim.Plan{ID: "dbs" + f.plan})
	}
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(keyToken), 0o600); err != nil {
		t.Fatal(err)
	}
	// These two have quotas of their own: a throttled one makes all its plans wait.
	config += target("busy", "cn-hangzhou") + "    plans: [{id: dbsthrottled}]\n"
	config += strings.Replace(target("nobody", "cn-hangzhou"), "security_token: "+keyToken, "security_token_file: "+token, 1) +
		"    plans: [{id: dbscredentials}]\n"
	s := newSite(t, config, append(plans, dbssim.Plan{ID: "dbsthrottled"})...)
	s.sim.SetFault("dbsthrottled", dbssim.Throttled(time.Minute))
	for _, f := range faults {
		s.sim.SetFault("dbs"+f.plan, f.fault)
	}
	if err := os.Remove(token); err != nil {
		t.Fatal(err)
	}
	s.run()
	pass(12*time.Hour + 30*time.Minute)
	return s
}

// The filter finds plans by what people know them by, and pages have a hundred plans.
func TestStatusFilter(t *testing.T) {
	config := "targets:" + target("acme", "cn-hangzhou") + "    plans:\n"
	for i := range 250 {
		config += fmt.Sprintf("      - {id: dbs%03d, name: Orders %d}\n", i, i)
	}
	config += "      - {id: dbsgone, name: gone}\n" + target("other", "cn-shanghai") + "    plans: [{id: dbsx, name: \"a&b <i>\"}]\n"
	var plans []dbssim.Plan
	for i := range 250 {
		plans = append(plans, dbssim.Plan{ID: fmt.Sprintf("dbs%03d", i)})
	}
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, config, append(plans, dbssim.Plan{ID: "dbsx"})...)
		s.run()
		tests := []struct {
			query string
			shown string
			first string
			rows  int
			links []string
		}{
			{query: "", shown: "Plans 1 to 100 of 252, failing ones first.", first: "gone", rows: 100, links: []string{"./?page=2#plans", "./?page=3#plans"}},
			{
				query: "?page=2", shown: "Plans 101 to 200 of 252, failing ones first.", first: "Orders 188", rows: 100,
				links: []string{"./?page=1#plans", "./?page=1#plans", "./?page=3#plans", "./?page=3#plans"},
			},
			{query: "?page=3", shown: "Plans 201 to 252 of 252, failing ones first.", first: "Orders 53", rows: 52, links: []string{"./?page=1#plans", "./?page=2#plans"}},
			{query: "?page=4", shown: "Plans 201 to 252 of 252, failing ones first.", first: "Orders 53", rows: 52, links: []string{"./?page=1#plans", "./?page=2#plans"}},
			{query: "?page=-1", shown: "Plans 1 to 100 of 252, failing ones first.", first: "gone", rows: 100, links: []string{"./?page=2#plans", "./?page=3#plans"}},
			{query: "?page=99999999999999999999", shown: "Plans 201 to 252 of 252, failing ones first.", first: "Orders 53", rows: 52, links: []string{"./?page=1#plans", "./?page=2#plans"}},
			{query: "?page=x", shown: "Plans 1 to 100 of 252, failing ones first.", first: "gone", rows: 100, links: []string{"./?page=2#plans", "./?page=3#plans"}},
			{query: "?q=+oRDers+24+", shown: "11 of 252 plans match.", first: "Orders 24", rows: 11},
			{query: "?q=DBS13", shown: "10 of 252 plans match.", first: "Orders 130", rows: 10},
			{query: "?q=acme", shown: "251 of 252 plans match, 1 to 100 are shown.", first: "gone", rows: 100, links: []string{"./?page=2&q=acme#plans", "./?page=3&q=acme#plans"}},
			{query: "?q=shanghai", shown: "1 of 252 plans match.", first: "a&b <i>", rows: 1},
			{query: "?q=%26b+%3Ci", shown: "1 of 252 plans match.", first: "a&b <i>", rows: 1},
			{query: "?show=failing", shown: "1 of 252 plans match.", first: "gone", rows: 1},
			{query: "?show=failing&q=orders", shown: "No plan matches."},
			{query: "?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", shown: "No plan matches."},
			{query: "?q=" + strings.Repeat("%ff", 1000), shown: "Plans 1 to 100 of 252, failing ones first.", first: "gone", rows: 100, links: []string{"./?page=2#plans", "./?page=3#plans"}},
			{query: "?q=" + strings.Repeat("x", 100_000), shown: "No plan matches."},
		}
		for _, test := range tests {
			page := s.get("/" + test.query)
			if !strings.Contains(text(page), "\n"+test.shown+"\n") {
				t.Errorf("%.60s: the page does not say %q", test.query, test.shown)
			}
			_, plans, _ := strings.Cut(page, `id="plans"`)
			names := regexp.MustCompile(`scope="row"><span class="name">(.*?)</span>`).FindAllStringSubmatch(plans, -1)
			first := ""
			if len(names) > 0 {
				first = html.UnescapeString(names[0][1])
			}
			if len(names) != test.rows || first != test.first {
				t.Errorf("%.60s: %d plans, the first is %q; want %d and %q", test.query, len(names), first, test.rows, test.first)
			}
			var links []string
			_, nav, _ := strings.Cut(page, `<nav class="pages"`)
			nav, _, _ = strings.Cut(nav, "</nav>")
			for _, link := range regexp.MustCompile(`href="(.*?)"`).FindAllStringSubmatch(nav, -1) {
				links = append(links, html.UnescapeString(link[1]))
			}
			if diff := cmp.Diff(test.links, links); diff != "" {
				t.Errorf("%.60s: links: %s", test.query, diff)
			}
			if strings.Contains(page, "<script") || len(page) > 200_000 {
				t.Errorf("%.60s: the input comes back as it is", test.query)
			}
		}
	})
}

// BenchmarkStatus measures page and document of a process that has polled 5,000 plans.
func BenchmarkStatus(b *testing.B) {
	config := "targets:"
	var plans []dbssim.Plan
	for account := range 10 {
		config += target(fmt.Sprint("account", account), "cn-hangzhou") + "    plans:\n"
		for i := range 500 {
			id := fmt.Sprintf("dbs%d%03d", account, i)
			config += "      - {id: " + id + ", name: orders-mysql-" + id + "}\n"
			plans = append(plans, dbssim.Plan{ID: id, Tasks: dbssim.Fixed(ended("b", "stop", time.Minute), ended("a", "finish", time.Hour))})
		}
	}
	s := newSite(b, config, plans...)
	if err := s.collector.PollOnce(b.Context()); err != nil {
		b.Fatal(err)
	}
	for name, path := range map[string]string{"page": "/", "filtered": "/?q=999", "document": "/api/v1/status"} {
		b.Run(name, func(b *testing.B) {
			size := 0
			b.ReportAllocs()
			for b.Loop() {
				size = len(s.get(path))
			}
			b.ReportMetric(float64(size), "page-bytes")
		})
	}
}
