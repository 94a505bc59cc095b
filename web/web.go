// Package web serves the exporter's pages: metrics, status, health, readiness
// and reload. It shows snapshots of a poller and asks the API for nothing.
package web

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/collector/poll"
)

// maxRequestsInFlight limits the scrapes that are served at the same time. Two
// Prometheus servers need two; the rest is for clients that read slowly or not
// at all.
const maxRequestsInFlight = 16

// maxStatusRequests limits the status pages likewise: with thousands of plans,
// a document is megabytes that wait for their reader.
const maxStatusRequests = 16

// Options configure the pages.
type Options struct {
	// Snapshot returns the state to show.
	Snapshot func() *poll.Snapshot
	// Reload loads the configuration; the pages show its last outcome.
	Reload *config.Reloader
	// EnableLifecycle allows reloading by a POST to /-/reload.
	EnableLifecycle bool
	// Ready and Healthy return nil, or the reason why the probe must fail.
	Ready, Healthy func() error
	// Registry holds the metrics to serve. The handler adds its own.
	Registry *prometheus.Registry
	// ConfigFile is the path of the configuration file, as the page shows it.
	ConfigFile string
	// TelemetryPath is the path of the metrics, such as /metrics.
	TelemetryPath string
	// EnablePprof serves profiles under /debug/pprof/.
	EnablePprof bool
	// Logger logs the errors of handlers.
	Logger *slog.Logger
}

// Handler returns the handler of all pages. The error says why TelemetryPath
// cannot be used.
func Handler(o Options) (http.Handler, error) {
	if err := checkTelemetryPath(o.TelemetryPath); err != nil {
		return nil, err
	}
	status, err := newStatusPages(o)
	if err != nil {
		return nil, fmt.Errorf("parse the template of the status page: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", atMost(maxStatusRequests, http.HandlerFunc(status.serveHTML)))
	mux.Handle("GET /api/v1/status", atMost(maxStatusRequests, http.HandlerFunc(status.serveJSON)))
	mux.Handle("GET /static/status.css", styleSheet())
	mux.Handle("GET "+o.TelemetryPath, metricsHandler(o))
	mux.Handle("GET /-/healthy", probe(o.Healthy, "aliyun_dbs_exporter is healthy."))
	mux.Handle("GET /-/ready", probe(o.Ready, "aliyun_dbs_exporter is ready."))
	// A page of another site can make a browser post here, and the browser adds
	// the password of basic auth.
	mux.Handle("POST /-/reload", http.NewCrossOriginProtection().Handler(reloadHandler(o)))
	if o.EnablePprof {
		handleProfiles(mux)
	}
	return secure(mux), nil
}

// styleSheet serves the style of the status page. Browsers keep it and ask
// whether it has changed.
func styleSheet() http.Handler {
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256(style))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeContent(w, r, "status.css", time.Time{}, bytes.NewReader(style))
	})
}

// metricsHandler serves the registry. A broken metric is left out rather than
// failing the page.
//
// Scrapes do not share a gather (promhttp's CoalesceGather): a shared one ends
// with its slowest reader, so one client that does not read would show all
// others the same old values.
func metricsHandler(o Options) http.Handler {
	metrics := promhttp.HandlerFor(o.Registry, promhttp.HandlerOpts{
		ErrorLog:            scrapeLog{o.Logger},
		ErrorHandling:       promhttp.ContinueOnError,
		Registry:            o.Registry,
		MaxRequestsInFlight: maxRequestsInFlight,
		EnableOpenMetrics:   true,
	})
	return markClientErrors(promhttp.InstrumentMetricHandler(o.Registry, metrics))
}

// errClientGone marks the errors of writing to a client.
var errClientGone = errors.New("client is gone")

func markClientErrors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(clientErrorWriter{w}, r)
	})
}

type clientErrorWriter struct{ http.ResponseWriter }

func (w clientErrorWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	if err != nil {
		err = fmt.Errorf("%w: %w", errClientGone, err)
	}
	return n, err
}

// scrapeLog logs the errors of a scrape, except that the client left: that is
// no error of the exporter, and promhttp repeats it for every metric family
// that is still to be written.
type scrapeLog struct{ *slog.Logger }

func (l scrapeLog) Println(v ...any) {
	for _, value := range v {
		if err, ok := value.(error); ok && errors.Is(err, errClientGone) {
			return
		}
	}
	l.Error("Metrics are missing from the page", "err", strings.TrimSpace(fmt.Sprintln(v...)))
}

// probe answers 200, or 503 with the reason.
func probe(check func() error, success string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if err := check(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, err)
			return
		}
		fmt.Fprintln(w, success)
	})
}

// reloadHandler loads the configuration. If that fails, it answers 400 with
// the reason, which holds no value of the file.
func reloadHandler(o Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !o.EnableLifecycle {
			http.Error(w, "Reloading over HTTP is off, start with --web.enable-lifecycle.", http.StatusForbidden)
			return
		}
		if err := o.Reload.Reload(); err != nil {
			http.Error(w, "The previous configuration stays in use: "+err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "Configuration loaded.")
	})
}

// profilesPath is the path that net/http/pprof expects.
const profilesPath = "/debug/pprof/"

func handleProfiles(mux *http.ServeMux) {
	mux.HandleFunc("GET "+profilesPath, pprof.Index)
	mux.HandleFunc("GET "+profilesPath+"cmdline", pprof.Cmdline)
	mux.HandleFunc("GET "+profilesPath+"profile", pprof.Profile)
	mux.HandleFunc("GET "+profilesPath+"symbol", pprof.Symbol)
	mux.HandleFunc("GET "+profilesPath+"trace", pprof.Trace)
}
