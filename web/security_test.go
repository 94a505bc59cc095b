package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/web"
)

// newPages is a site of one plan with other options.
func newPages(t *testing.T, change func(*web.Options)) *site {
	t.Helper()
	s := newSite(t, "targets:"+target("acme", "cn-hangzhou")+"    plans: [{id: dbsa}]\n", dbssim.Plan{ID: "dbsa"})
	change(&s.options)
	var err error
	if s.handler, err = web.Handler(s.options); err != nil {
		t.Fatal(err)
	}
	return s
}

// send makes a request with headers, given as name and value in turn.
func (s *site) send(method, path string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, path, http.NoBody)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w.Result()
}

func TestHeaders(t *testing.T) {
	s := newPages(t, func(o *web.Options) { o.EnablePprof = true })
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
		response := s.send(http.MethodGet, path)
		for name := range want {
			got[name] = response.Header.Values(name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

// The web configuration file may set some of these headers; its word counts.
func TestHeadersOfTheWebConfiguration(t *testing.T) {
	s := newPages(t, func(*web.Options) {})
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
				t.Errorf("%s: %s: %s", path, name, diff)
			}
		}
	}
}

func TestMethods(t *testing.T) {
	tests := []struct {
		path  string
		allow string // GET, HEAD or POST; empty where there is no page
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
	s := newPages(t, func(o *web.Options) { o.Reload = func() error { return nil } })
	for _, test := range tests {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			response := s.send(method, test.path)
			allowed := strings.Contains(test.allow, method)
			switch {
			case test.allow == "" && response.StatusCode != http.StatusNotFound,
				test.allow != "" && !allowed && (response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != test.allow),
				allowed && response.StatusCode != http.StatusOK && response.StatusCode != http.StatusServiceUnavailable: // not ready yet
				t.Errorf("%s %s: %s, Allow: %s", method, test.path, response.Status, response.Header.Get("Allow"))
			}
		}
	}
}

func TestProfiles(t *testing.T) {
	s := newPages(t, func(o *web.Options) { o.EnablePprof = true })
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/symbol", "/debug/pprof/heap", "/debug/pprof/goroutine"} {
		if response := s.send(http.MethodGet, path); response.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, response.Status)
		}
	}
	if !strings.Contains(s.get("/"), `href="debug/pprof/"`) {
		t.Error("the status page has no link to the profiles")
	}
}

// Pages of other sites can make a browser post here, with the password that it has kept.
func TestReloadFromAnotherSite(t *testing.T) {
	reloads := 0
	s := newPages(t, func(o *web.Options) { o.Reload = func() error { reloads++; return nil } })
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
	want := 0
	for _, test := range tests {
		if response := s.send(http.MethodPost, "/-/reload", test.headers...); response.StatusCode != test.want {
			t.Errorf("%s: %s", test.headers, response.Status)
		}
		if test.want == http.StatusOK {
			want++
		}
		if reloads != want {
			t.Errorf("%s: reloaded %d times, want %d", test.headers, reloads, want)
		}
	}
}

func TestTelemetryPath(t *testing.T) {
	s := newPages(t, func(*web.Options) {})
	own := func(path, under string) string {
		return `telemetry path "` + path + `": what is under ` + under + ` is the exporter's own, want a path such as /metrics`
	}
	shape := func(path string) string { return `telemetry path "` + path + `": want a path such as /metrics` }
	tests := map[string]string{
		"/metrics":           "",
		"/a/b-c.d_e~f":       "",
		"/apis":              "",
		"":                   shape(""),
		"/":                  shape("/"),
		"metrics":            shape("metrics"),
		"/metrics/":          shape("/metrics/"),
		"//metrics":          shape("//metrics"),
		"/{path...}":         shape("/{path...}"),
		"/me trics":          shape("/me trics"),
		"/-/healthy":         own("/-/healthy", "/-/"),
		"/-/metrics":         own("/-/metrics", "/-/"),
		"/api/v1/status":     own("/api/v1/status", "/api/"),
		"/api":               own("/api", "/api/"),
		"/static/status.css": own("/static/status.css", "/static/"),
		"/debug/pprof":       own("/debug/pprof", "/debug/"),
	}
	for path, want := range tests {
		options := s.options
		options.TelemetryPath = path
		got := ""
		if _, err := web.Handler(options); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

// stuck is a client that takes the beginning of an answer and then waits.
type stuck struct {
	http.ResponseWriter
	release <-chan struct{}
}

func (s stuck) Write(p []byte) (int, error) {
	<-s.release
	return len(p), nil
}

func TestConcurrentRequests(t *testing.T) {
	for _, path := range []string{"/", "/api/v1/status"} {
		t.Run(path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newPages(t, func(*web.Options) {})
				release := make(chan struct{})
				for range 16 {
					go s.handler.ServeHTTP(stuck{httptest.NewRecorder(), release}, httptest.NewRequest(http.MethodGet, path, http.NoBody))
				}
				synctest.Wait()
				response := s.send(http.MethodGet, path)
				body, _ := io.ReadAll(response.Body)
				if want := "Limit of concurrent requests reached (16), try again later.\n"; response.StatusCode != http.StatusServiceUnavailable || string(body) != want {
					t.Errorf("the 17th request: %s %s", response.Status, body)
				}
				if response := s.send(http.MethodGet, "/-/healthy"); response.StatusCode != http.StatusOK {
					t.Errorf("health while pages are taken: %s", response.Status)
				}
				close(release)
				synctest.Wait()
				if response := s.send(http.MethodGet, path); response.StatusCode != http.StatusOK {
					t.Errorf("after the others have ended: %s", response.Status)
				}
			})
		})
	}
}

// Everything that the API says about a failure, and everything secret, stays away from pages, whatever the failure.
func TestPagesLeakNothing(t *testing.T) {
	faults := map[string]dbssim.Fault{
		"good":      {},
		"signature": {Status: 400, Body: `{"Code":"SignatureDoesNotMatch","Message":"x server string to sign is:` + keySecret + keyToken + `"}`},
		"html":      dbssim.HTMLPage(502),
		"code":      dbssim.Failing(400, keyToken),
		"request":   {Status: 403, Body: `{"Code":"Forbidden.RAM","RequestId":"https://` + dbssim.CapabilityURL + `","Message":"` + keyID + `"}`},
		"redirect":  {Status: 302, Location: "https://" + dbssim.CapabilityURL + "/?" + keyToken},
		"garbage":   {Body: `{"Success":true,"Items":"` + keyToken + `"}`},
		"status": {Envelope: func(e map[string]any) {
			e["Items"] = []map[string]any{{"BackupSetDownloadTaskId": "a", "BackupSetDownloadStatus": "http://" + dbssim.CapabilityURL}}
		}},
	}
	marks := regexp.MustCompile(strings.Join([]string{
		keyID, keySecret, keyToken, dbssim.CapabilityURL, dbssim.FreeText, dbssim.SecretDirectory, "evil", "https?://",
	}, "|"))
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, "targets:"+target("acme", "cn-hangzhou")+"    plans: [{id: dbsa, name: \"<script>evil</script>\"}]\n    discovery: {enabled: true}\n",
					dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(ended("a", "stop", time.Minute), ended("b", "finish", time.Hour))})
				s.sim.SetFault(dbssim.Everything, fault)
				s.run()
				pass(time.Minute)
				page := strings.ReplaceAll(s.get("/"), "&lt;script&gt;evil&lt;/script&gt;", "") // as it must be
				page = strings.ReplaceAll(page, "xmlns='http://www.w3.org/2000/svg'", "")       // a name, not an address
				document := strings.ReplaceAll(s.get("/api/v1/status"), `\u003cscript\u003eevil\u003c/script\u003e`, "")
				for _, text := range []string{page, document} {
					if leaked := marks.FindAllString(text, -1); leaked != nil {
						t.Errorf("%q in\n%s", leaked, text)
					}
				}
			})
		})
	}
}

// A browser that has the style sheet is told that it is the same.
func TestStyleSheet(t *testing.T) {
	s := newPages(t, func(*web.Options) {})
	first := s.send(http.MethodGet, "/static/status.css")
	if got := first.Header.Get("Content-Type"); first.StatusCode != http.StatusOK || got != "text/css; charset=utf-8" {
		t.Errorf("%s %s", first.Status, got)
	}
	if again := s.send(http.MethodGet, "/static/status.css", "If-None-Match", first.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
		t.Errorf("asked again: %s", again.Status)
	}
	style, _ := io.ReadAll(first.Body)
	if found := regexp.MustCompile(`url\(|@import|//`).FindString(string(style)); found != "" {
		t.Errorf("the style sheet loads something: %q", found)
	}
}
