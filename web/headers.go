package web

import (
	"fmt"
	"net/http"
	"path"
	"regexp"
	"strings"
)

const (
	// contentPolicy lets a page load its own style sheet and nothing else: no
	// script, no other host, and no frame around it.
	contentPolicy = "default-src 'none'; style-src 'self'; img-src data:; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	// profilesPolicy is for the index of net/http/pprof, whose style is inline.
	profilesPolicy = "default-src 'none'; style-src 'unsafe-inline'; " +
		"form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)

// secure sets the headers that tell browsers what pages may do. Headers that
// the web configuration file has set are kept.
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

// atMost serves up to n requests at the same time and answers 503 to others, as
// the metrics handler does.
func atMost(n int, next http.Handler) http.Handler {
	slots := make(chan struct{}, n)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			next.ServeHTTP(w, r)
		default:
			text := fmt.Sprintf("Limit of concurrent requests reached (%d), try again later.", n)
			http.Error(w, text, http.StatusServiceUnavailable)
		}
	})
}

// telemetryPattern excludes braces and blanks, which have a meaning for
// [http.ServeMux], and characters that clients escape.
var telemetryPattern = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)

// checkTelemetryPath returns an error unless requests for the path can reach
// the metrics, and no other page is there.
func checkTelemetryPath(telemetryPath string) error {
	// Clients and the router remove the elements . and .. from paths.
	if !telemetryPattern.MatchString(telemetryPath) || path.Clean(telemetryPath) != telemetryPath {
		return fmt.Errorf("telemetry path %q: must be a path such as /metrics", telemetryPath)
	}
	for _, own := range []string{"/-/", "/api/", "/static/", "/debug/"} {
		if strings.HasPrefix(telemetryPath+"/", own) {
			return fmt.Errorf("telemetry path %q: %s is for other pages, must be a path such as /metrics", telemetryPath, own)
		}
	}
	return nil
}
