package web_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/web"
)

func withProfiles(o *web.Options) { o.EnablePprof = true }

func TestHeaders(t *testing.T) {
	s := onePlan(t, withProfiles)
	page := "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	profiles := "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
	tests := map[string]string{
		"/": page, "/?q=x": page, "/api/v1/status": page, "/static/status.css": page, "/metrics": page, "/-/healthy": page,
		"/-/ready": page, "/-/reload": page, "/unknown": page, "/debug/pprof/": profiles, "/debug/pprof/cmdline": profiles,
	}
	for path, policy := range tests {
		want := map[string][]string{
			"Content-Security-Policy":      {policy},
			"X-Content-Type-Options":       {"nosniff"},
			"X-Frame-Options":              {"DENY"},
			"Referrer-Policy":              {"no-referrer"},
			"Cross-Origin-Opener-Policy":   {"same-origin"},
			"Cross-Origin-Resource-Policy": {"same-origin"},
		}
		got := make(map[string][]string)
		header := s.send(http.MethodGet, path).Result().Header
		for name := range want {
			got[name] = header.Values(name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

// Headers that the web configuration file sets are kept.
func TestHeadersOfTheWebConfiguration(t *testing.T) {
	s := onePlan(t)
	for _, path := range []string{"/", "/metrics", "/unknown"} {
		w := httptest.NewRecorder()
		w.Header().Set("X-Frame-Options", "SAMEORIGIN")
		w.Header().Set("Content-Security-Policy", "frame-ancestors https://portal.example")
		s.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody))
		for name, want := range map[string]string{
			"X-Frame-Options":         "SAMEORIGIN",
			"Content-Security-Policy": "frame-ancestors https://portal.example",
			"Referrer-Policy":         "no-referrer",
		} {
			if diff := cmp.Diff([]string{want}, w.Result().Header.Values(name)); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", path, name, diff)
			}
		}
	}
}

// A browser that has the style sheet is told that it has not changed.
func TestStyleSheet(t *testing.T) {
	s := onePlan(t)
	first := s.send(http.MethodGet, "/static/status.css")
	if got := first.Header().Get("Content-Type"); first.Code != http.StatusOK || got != "text/css; charset=utf-8" {
		t.Errorf("%d %s", first.Code, got)
	}
	if again := s.send(http.MethodGet, "/static/status.css", "If-None-Match", first.Header().Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("the second request answers %d", again.Code)
	}
	if found := regexp.MustCompile(`url\(|@import|//`).FindString(first.Body.String()); found != "" {
		t.Errorf("the style sheet loads something: %q", found)
	}
}

// slowReader is a client that does not read before it is told to.
type slowReader struct {
	http.ResponseWriter
	read <-chan struct{}
}

func (s slowReader) Write(p []byte) (int, error) {
	<-s.read
	return len(p), nil
}

func TestStatusRequestsAreLimited(t *testing.T) {
	for _, path := range []string{"/", "/api/v1/status"} {
		t.Run(path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := onePlan(t)
				read := make(chan struct{})
				for range 16 {
					go s.handler.ServeHTTP(slowReader{httptest.NewRecorder(), read}, httptest.NewRequest(http.MethodGet, path, http.NoBody))
				}
				synctest.Wait()
				next := s.send(http.MethodGet, path)
				if want := "Limit of concurrent requests reached (16), try again later.\n"; next.Code != http.StatusServiceUnavailable || next.Body.String() != want {
					t.Errorf("the 17th request answers %d %s", next.Code, next.Body)
				}
				if healthy := s.send(http.MethodGet, "/-/healthy"); healthy.Code != http.StatusOK {
					t.Errorf("/-/healthy answers %d meanwhile", healthy.Code)
				}
				close(read)
				synctest.Wait()
				if after := s.send(http.MethodGet, path); after.Code != http.StatusOK {
					t.Errorf("the request after them answers %d", after.Code)
				}
			})
		})
	}
}

// Each path is either refused with a text that says why, or serves the metrics.
func TestTelemetryPath(t *testing.T) {
	own := func(path, own string) string {
		return `telemetry path "` + path + `": ` + own + ` is for other pages, must be a path such as /metrics`
	}
	shape := func(path string) string { return `telemetry path "` + path + `": must be a path such as /metrics` }
	tests := map[string]string{
		"/metrics":           "",
		"/a/b-c.d_e~f":       "",
		"/apis":              "",
		"/...":               "",
		"/.hidden":           "",
		"":                   shape(""),
		"/":                  shape("/"),
		"metrics":            shape("metrics"),
		"/metrics/":          shape("/metrics/"),
		"//metrics":          shape("//metrics"),
		"/{path...}":         shape("/{path...}"),
		"/me trics":          shape("/me trics"),
		"/me%20trics":        shape("/me%20trics"),
		"/metrics?x=y":       shape("/metrics?x=y"),
		"/..":                shape("/.."),
		"/.":                 shape("/."),
		"/../metrics":        shape("/../metrics"),
		"/a/./metrics":       shape("/a/./metrics"),
		"/a/..":              shape("/a/.."),
		"/-/healthy":         own("/-/healthy", "/-/"),
		"/-/metrics":         own("/-/metrics", "/-/"),
		"/api/v1/status":     own("/api/v1/status", "/api/"),
		"/api":               own("/api", "/api/"),
		"/static/status.css": own("/static/status.css", "/static/"),
		"/debug/pprof":       own("/debug/pprof", "/debug/"),
	}
	for path, want := range tests {
		options := onePlan(t).options
		options.TelemetryPath = path
		handler, err := web.Handler(options)
		if err != nil {
			if err.Error() != want {
				t.Errorf("%q: %v, want %q", path, err, want)
			}
			continue
		}
		s := &site{TB: t, handler: handler}
		if w := s.send(http.MethodGet, path); want != "" || w.Code != http.StatusOK {
			t.Errorf("%q: GET answers %d, want the error %q", path, w.Code, want)
		}
	}
}

// No path makes the router panic, and each that is accepted leads to the
// metrics.
func FuzzTelemetryPath(f *testing.F) {
	for _, path := range []string{"/metrics", "/..", "/a/./b", "/{x}", "/%2e", "/\x00", "GET /", "/-/", "/ä"} {
		f.Add(path)
	}
	options := onePlan(f).options
	f.Fuzz(func(t *testing.T, path string) {
		options := options
		options.TelemetryPath = path
		handler, err := web.Handler(options)
		if err != nil {
			return
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody))
		if w.Code != http.StatusOK {
			t.Errorf("%q: GET answers %d", path, w.Code)
		}
	})
}
