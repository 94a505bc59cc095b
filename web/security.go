package web

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

const (
	// contentPolicy lets a page load its style sheet and nothing else: no script, no other host, no frame around it.
	contentPolicy = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	// profilesPolicy is for the index of net/http/pprof, which has its style inline.
	profilesPolicy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)

// secure sets headers that tell browsers what pages may do. Those that the web configuration file sets win.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		policy := contentPolicy
		if strings.HasPrefix(r.URL.Path, profilesPath) {
			policy = profilesPolicy
		}
		for _, header := range [][2]string{
			{"Content-Security-Policy", policy},
			{"X-Content-Type-Options", "nosniff"},
			{"X-Frame-Options", "DENY"},
			{"Referrer-Policy", "no-referrer"},
			{"Cross-Origin-Opener-Policy", "same-origin"},
			{"Cross-Origin-Resource-Policy", "same-origin"},
		} {
			if w.Header().Get(header[0]) == "" {
				w.Header().Set(header[0], header[1])
			}
		}
		next.ServeHTTP(w, r)
	})
}

// atMost serves that many requests at a time and answers 503 to the next, as the metrics handler does.
func atMost(n int, next http.Handler) http.Handler {
	slots := make(chan struct{}, n)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			next.ServeHTTP(w, r)
		default:
			http.Error(w, fmt.Sprintf("Limit of concurrent requests reached (%d), try again later.", n), http.StatusServiceUnavailable)
		}
	})
}

// telemetryPath is what the path of the metrics page looks like. Braces and blanks mean something to the router.
var telemetryPath = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)

// checkTelemetryPath makes sure that the metrics page does not take the place of another.
func checkTelemetryPath(path string) error {
	if !telemetryPath.MatchString(path) {
		return fmt.Errorf("telemetry path %q: want a path such as /metrics", path)
	}
	for _, own := range []string{"/-/", "/api/", "/static/", "/debug/"} {
		if strings.HasPrefix(path+"/", own) {
			return fmt.Errorf("telemetry path %q: what is under %s is the exporter's own, want a path such as /metrics", path, own)
		}
	}
	return nil
}
