package web_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"

	"aliyun_dbs_exporter/collector"
	"aliyun_dbs_exporter/web"
)

// config is a configuration of one plan whose endpoint nobody listens at.
const config = `targets:
  - account: acme
    region_id: cn-hangzhou
    endpoint: http://127.0.0.1:1
    credentials: {type: access_key, access_key_id: key-mark, access_key_secret: secret-mark}
    plans: [{id: dbsa}]
`

func parse(t *testing.T, text string) (*collector.Config, error) {
	t.Helper()
	return collector.ParseConfig([]byte(text), "config.yml")
}

func newCollector(t *testing.T) *collector.Collector {
	t.Helper()
	parsed, err := parse(t, config)
	if err != nil {
		t.Fatal(err)
	}
	c, err := collector.New(parsed, collector.Options{}, log.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// handler returns the pages of a collector that has not polled yet.
func handler(t *testing.T, change func(*web.Options)) http.Handler {
	t.Helper()
	c := newCollector(t)
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	o := web.Options{Collector: c, Registry: registry, TelemetryPath: "/metrics", Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if change != nil {
		change(&o)
	}
	h, err := web.Handler(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func request(h http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, http.NoBody))
	return w
}

func TestRoutes(t *testing.T) {
	reload := func(err error) func(*web.Options) {
		return func(o *web.Options) { o.Reload = func() error { return err } }
	}
	tests := []struct {
		name         string
		change       func(*web.Options)
		method, path string
		code         int
		body         string
	}{
		{"metrics", nil, "GET", "/metrics", 200, `aliyun_dbs_polls_total{account="acme",plan_id="dbsa",region_id="cn-hangzhou"} 0`},
		{"metrics elsewhere", func(o *web.Options) { o.TelemetryPath = "/dbs" }, "GET", "/dbs", 200, "aliyun_dbs_polls_total"},
		{"metrics not where they were", func(o *web.Options) { o.TelemetryPath = "/dbs" }, "GET", "/metrics", 404, ""},
		{"metrics are read", nil, "POST", "/metrics", 405, ""},
		{"metrics, header only", nil, "HEAD", "/metrics", 200, ""},
		{"start page", nil, "GET", "/", 200, `href="metrics"`},
		{"start page is read", nil, "POST", "/", 405, ""},
		{"healthy", nil, "GET", "/-/healthy", 200, "aliyun_dbs_exporter is healthy.\n"},
		{"not ready", nil, "GET", "/-/ready", 503, "the first poll round of account acme in cn-hangzhou has not ended\n"},
		{"reload off", nil, "POST", "/-/reload", 403, "Reloading over HTTP is off, start with --web.enable-lifecycle.\n"},
		{"reload", reload(nil), "POST", "/-/reload", 200, "Configuration loaded.\n"},
		{"bad reload", reload(errors.New("config.yml:3: targets: is required")), "POST", "/-/reload", 400, "The previous configuration stays in use: config.yml:3: targets: is required\n"},
		{"reload by a link", reload(nil), "GET", "/-/reload", 405, ""},
		{"profiles off", nil, "GET", "/debug/pprof/", 404, ""},
		{"profiles on", func(o *web.Options) { o.EnablePprof = true }, "GET", "/debug/pprof/", 200, "goroutine"},
		{"command line", func(o *web.Options) { o.EnablePprof = true }, "GET", "/debug/pprof/cmdline", 200, "web.test"},
		{"nowhere", nil, "GET", "/etc/passwd", 404, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := request(handler(t, tt.change), tt.method, tt.path)
			if w.Code != tt.code {
				t.Errorf("code is %d, want %d", w.Code, tt.code)
			}
			body := w.Body.String()
			if strings.HasSuffix(tt.body, "\n") && body != tt.body || !strings.Contains(body, tt.body) {
				t.Errorf("body is %q, want %q", body, tt.body)
			}
			for _, mark := range []string{"key-mark", "secret-mark"} {
				if strings.Contains(body, mark) {
					t.Errorf("body holds %s", mark)
				}
			}
		})
	}
}

// blocking is a collector that takes as long as a test wants.
type blocking struct{ begun, end chan struct{} }

func (b blocking) Describe(ch chan<- *prometheus.Desc) {
	ch <- prometheus.NewDesc("blocking", "Blocks.", nil, nil)
}

func (b blocking) Collect(chan<- prometheus.Metric) {
	b.begun <- struct{}{}
	<-b.end
}

// More scrapes than a number of Prometheus servers could want are turned away while others wait.
func TestScrapesAreBounded(t *testing.T) {
	const most = 16
	slow := blocking{begun: make(chan struct{}, most), end: make(chan struct{})}
	h := handler(t, func(o *web.Options) { o.Registry.MustRegister(slow) })
	codes := make(chan int)
	for range most + 1 {
		go func() { codes <- request(h, "GET", "/metrics").Code }()
	}
	if code := <-codes; code != http.StatusServiceUnavailable {
		t.Errorf("the first to end answers %d", code)
	}
	close(slow.end)
	for range most {
		if code := <-codes; code != http.StatusOK {
			t.Errorf("a scrape within the bound answers %d", code)
		}
	}
}

// goneWriter is the connection of a client that left.
type goneWriter struct{ http.ResponseWriter }

func (goneWriter) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// A client that leaves in the middle of a scrape ends it without a word in the log, and without taking a scrape's place.
func TestScraperLeaves(t *testing.T) {
	var log bytes.Buffer
	h := handler(t, func(o *web.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	const moreThanAtATime = 20
	for range moreThanAtATime {
		for _, encoding := range []string{"identity", "gzip"} {
			r := httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody)
			r.Header.Set("Accept-Encoding", encoding)
			h.ServeHTTP(goneWriter{httptest.NewRecorder()}, r)
		}
	}
	if log.Len() > 0 {
		t.Errorf("the log says: %s", &log)
	}
	if w := request(h, http.MethodGet, "/metrics"); w.Code != http.StatusOK {
		t.Errorf("the next scrape answers %d", w.Code)
	}
}

// A metric that is broken is missing from the page, and the log says so.
func TestBrokenMetric(t *testing.T) {
	var log bytes.Buffer
	h := handler(t, func(o *web.Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		o.Registry.MustRegister(broken{prometheus.NewDesc("broken", "A metric that cannot be collected.", nil, nil)})
	})
	w := request(h, http.MethodGet, "/metrics")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "aliyun_dbs_plan_info{") {
		t.Errorf("the page is %d:\n%s", w.Code, w.Body)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), `level=ERROR msg="Metrics are missing from the page"`) || !strings.Contains(log.String(), "it is broken") {
		t.Errorf("the log says: %s", &log)
	}
}

// broken collects nothing but an error.
type broken struct{ desc *prometheus.Desc }

func (b broken) Describe(ch chan<- *prometheus.Desc) { ch <- b.desc }
func (b broken) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.NewInvalidMetric(b.desc, errors.New("it is broken"))
}

// SIGHUP reloads, a bad file changes nothing, and the end of the context ends the wait.
func TestReloader(t *testing.T) {
	c := newCollector(t)
	var text atomic.Value
	r := web.NewReloader(func() (*collector.Config, error) { return parse(t, text.Load().(string)) }, c, log.NewNopLogger())
	reload := func(file string) error {
		text.Store(file)
		return r.Reload()
	}
	if err := reload(strings.Replace(config, "id: dbsa", "id: dbsa}, {id: dbsb", 1)); err != nil || c.Plans() != 2 {
		t.Errorf("reload: %v, %d plans", err, c.Plans())
	}
	const problem = "config.yml:1: poll_interval: want a duration such as 30s, 5m or 1d"
	if err := reload("poll_interval: never\n"); err == nil || err.Error() != problem || c.Plans() != 2 {
		t.Errorf("bad reload: %v, %d plans", err, c.Plans())
	}
	if s := c.Status(); s.Reload.OK || s.Reload.Problem != problem {
		t.Errorf("status is %+v", s.Reload)
	}

	// Until Run listens, the signal would end the test.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	defer signal.Stop(caught)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	text.Store(config)
	for tick := time.NewTicker(10 * time.Millisecond); c.Plans() != 1 && ctx.Err() == nil; <-tick.C {
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	if c.Plans() != 1 {
		t.Errorf("%d plans after SIGHUP", c.Plans())
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
