package web_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
	"aliyun_dbs_exporter/web"
)

func withLifecycle(o *web.Options) { o.EnableLifecycle = true }

func TestRoutes(t *testing.T) {
	metrics := func(o *web.Options) {
		o.Registry.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "a_metric", Help: "A metric."}))
	}
	elsewhere := func(o *web.Options) { o.TelemetryPath = "/dbs" }
	unready := func(o *web.Options) {
		o.Ready = func() error { return errors.New("the first polls have not ended") }
	}
	stuck := func(o *web.Options) { o.Healthy = func() error { return errors.New("polling is stuck") } }
	tests := []struct {
		name         string
		change       func(*web.Options)
		method, path string
		code         int
		// body is the body if it ends a line, else a part of it.
		body string
	}{
		{"metrics", metrics, "GET", "/metrics", 200, "\na_metric 0\n#"},
		{"metrics of the handler", metrics, "GET", "/metrics", 200, "promhttp_metric_handler_requests_in_flight 1"},
		{"metrics elsewhere", elsewhere, "GET", "/dbs", 200, "promhttp_"},
		{"no metrics at the default path", elsewhere, "GET", "/metrics", 404, ""},
		{"metrics, header only", metrics, "HEAD", "/metrics", 200, ""},
		{"start page", nil, "GET", "/", 200, `href="metrics"`},
		{"start page with metrics elsewhere", elsewhere, "GET", "/", 200, `href="dbs"`},
		{"start page with profiles", withProfiles, "GET", "/", 200, `href="debug/pprof/"`},
		{"healthy", nil, "GET", "/-/healthy", 200, "aliyun_dbs_exporter is healthy.\n"},
		{"not healthy", stuck, "GET", "/-/healthy", 503, "polling is stuck\n"},
		{"ready", nil, "GET", "/-/ready", 200, "aliyun_dbs_exporter is ready.\n"},
		{"not ready", unready, "GET", "/-/ready", 503, "the first polls have not ended\n"},
		{"reload off", nil, "POST", "/-/reload", 403, "Reloading over HTTP is off, start with --web.enable-lifecycle.\n"},
		{"reload", withLifecycle, "POST", "/-/reload", 200, "Configuration loaded.\n"},
		{"command line", withProfiles, "GET", "/debug/pprof/cmdline", 200, "web.test"},
		{"symbols", withProfiles, "GET", "/debug/pprof/symbol", 200, "num_symbols"},
		{"heap", withProfiles, "GET", "/debug/pprof/heap", 200, ""},
		{"profiles", withProfiles, "GET", "/debug/pprof/", 200, "goroutine"},
		{"nowhere", nil, "GET", "/etc/passwd", 404, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var change []func(*web.Options)
			if test.change != nil {
				change = append(change, test.change)
			}
			w := onePlan(t, change...).send(test.method, test.path)
			body := w.Body.String()
			if w.Code != test.code || strings.HasSuffix(test.body, "\n") && body != test.body || !strings.Contains(body, test.body) {
				t.Errorf("%d %q, want %d %q", w.Code, body, test.code, test.body)
			}
		})
	}
}

// A file that cannot be loaded is named with line and key, without its values.
func TestReloadOfABadFile(t *testing.T) {
	s := onePlan(t, withLifecycle)
	s.file = "poll_interval: " + simtest.KeySecret + "\n"
	w := s.send(http.MethodPost, "/-/reload")
	want := "The previous configuration stays in use: config.yml:1: poll_interval: must be a duration such as 30s, 5m or 1d\n"
	if w.Code != http.StatusBadRequest || w.Body.String() != want {
		t.Errorf("%d %q, want 400 %q", w.Code, w.Body, want)
	}
	if last := s.options.Reload.Last(); last.OK {
		t.Error("the reload counts as successful")
	}
}

func TestMethods(t *testing.T) {
	tests := []struct {
		path  string
		allow string // GET, HEAD or POST; empty if there is no page
	}{
		{"/", "GET, HEAD"},
		{"/api/v1/status", "GET, HEAD"},
		{"/static/status.css", "GET, HEAD"},
		{"/metrics", "GET, HEAD"},
		{"/-/healthy", "GET, HEAD"},
		{"/-/ready", "GET, HEAD"},
		{"/-/reload", "POST"},
		{"/-/quit", ""},
		{"/api/v1/", ""},
		{"/static/", ""},
		{"/static/status.html", ""},
		{"/config", ""},
		{"/debug/pprof/", ""},
		{"/debug/pprof/heap", ""},
		{"/debug/pprof/cmdline", ""},
		{"/index.html", ""},
	}
	s := onePlan(t, withLifecycle)
	for _, test := range tests {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			w := s.send(method, test.path)
			want, allow := http.StatusOK, ""
			switch {
			case test.allow == "":
				want = http.StatusNotFound
			case !strings.Contains(test.allow, method):
				want, allow = http.StatusMethodNotAllowed, test.allow
			}
			if w.Code != want || w.Header().Get("Allow") != allow {
				t.Errorf("%s %s: %d, Allow: %q; want %d, %q", method, test.path, w.Code, w.Header().Get("Allow"), want, allow)
			}
		}
	}
}

// A page of another site can make a browser post here, and the browser adds the
// password that it has kept.
func TestReloadFromAnotherSite(t *testing.T) {
	s := onePlan(t, withLifecycle)
	tests := []struct {
		headers []string
		want    int
	}{
		{nil, http.StatusOK}, // curl
		{[]string{"Sec-Fetch-Site", "same-origin"}, http.StatusOK},
		{[]string{"Origin", "http://example.com"}, http.StatusOK}, // the host that httptest asks for
		{[]string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		{[]string{"Sec-Fetch-Site", "same-site"}, http.StatusForbidden},
		{[]string{"Origin", "https://evil.example"}, http.StatusForbidden},
		{[]string{"Origin", "null"}, http.StatusForbidden},
	}
	for _, test := range tests {
		before := s.options.Reload.Last().At
		if w := s.send(http.MethodPost, "/-/reload", test.headers...); w.Code != test.want {
			t.Errorf("%s: %d", test.headers, w.Code)
		}
		if reloaded := s.options.Reload.Last().At != before; reloaded != (test.want == http.StatusOK) {
			t.Errorf("%s: reloaded is %t", test.headers, reloaded)
		}
	}
}
