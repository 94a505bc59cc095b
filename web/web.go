// Package web serves the exporter's pages: metrics, status, health, readiness and reload.
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

	"aliyun_dbs_exporter/collector"
)

// maxScrapes bounds the scrapes that are served at a time; the next gets a 503. Two Prometheus servers need two.
const maxScrapes = 16

// maxPages bounds the status pages likewise: thousands of plans make a document of megabytes, which waits for its reader.
const maxPages = 16

// Options configure the pages.
type Options struct {
	Collector *collector.Collector
	// Registry holds the metrics that are served, the collector's among them.
	Registry *prometheus.Registry
	// ConfigFile is the path of the configuration file, to be shown.
	ConfigFile string
	// TelemetryPath is where they are served, such as /metrics.
	TelemetryPath string
	// Reload loads the configuration anew; nil where reloading over HTTP is off.
	Reload func() error
	// EnablePprof serves profiles under /debug/pprof/.
	EnablePprof bool
	// Logger takes the errors of handlers.
	Logger *slog.Logger
}

// Handler returns the handler of all pages, or an error if TelemetryPath is not one that is free.
func Handler(o Options) (http.Handler, error) {
	if err := checkTelemetryPath(o.TelemetryPath); err != nil {
		return nil, err
	}
	status, err := newStatusPages(o)
	if err != nil {
		return nil, fmt.Errorf("build status page: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", atMost(maxPages, http.HandlerFunc(status.serveHTML)))
	mux.Handle("GET /api/v1/status", atMost(maxPages, http.HandlerFunc(status.serveJSON)))
	mux.Handle("GET /static/status.css", styleSheet())
	mux.Handle("GET "+o.TelemetryPath, metricsHandler(o))
	mux.Handle("GET /-/healthy", probe(o.Collector.Healthy, "aliyun_dbs_exporter is healthy."))
	mux.Handle("GET /-/ready", probe(o.Collector.Ready, "aliyun_dbs_exporter is ready."))
	// Browsers send the password of basic auth along with whatever another site makes them post.
	mux.Handle("POST /-/reload", http.NewCrossOriginProtection().Handler(reloadHandler(o.Reload)))
	if o.EnablePprof {
		handleProfiles(mux)
	}
	return secure(mux), nil
}

// styleSheet serves the style of the status page, once to a browser that keeps it.
func styleSheet() http.Handler {
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256(style))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		w.Header().Set("Cache-Control", "no-cache") // keep it, and ask whether it is new
		http.ServeContent(w, r, "status.css", time.Time{}, bytes.NewReader(style))
	})
}

// metricsHandler serves the registry. Broken metrics are left out rather than failing the page.
func metricsHandler(o Options) http.Handler {
	return markGone(promhttp.InstrumentMetricHandler(o.Registry, promhttp.HandlerFor(o.Registry, promhttp.HandlerOpts{
		ErrorLog:            scrapeLog{o.Logger},
		ErrorHandling:       promhttp.ContinueOnError,
		Registry:            o.Registry,
		MaxRequestsInFlight: maxScrapes,
		CoalesceGather:      true, // scrapes at the same time see the same page anyway
		EnableOpenMetrics:   true,
	})))
}

// errGone marks failures to write to a client, which has left.
var errGone = errors.New("client is gone")

// markGone marks the errors of writing to the client.
func markGone(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(goneMarker{w}, r)
	})
}

type goneMarker struct{ http.ResponseWriter }

func (w goneMarker) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	if err != nil {
		err = fmt.Errorf("%w: %w", errGone, err)
	}
	return n, err
}

// scrapeLog takes the errors of a scrape. A scraper that leaves is no error of the exporter, and would be one line for
// each metric family that was still to come.
type scrapeLog struct{ *slog.Logger }

func (l scrapeLog) Println(v ...any) {
	for _, value := range v {
		if err, ok := value.(error); ok && errors.Is(err, errGone) {
			return
		}
	}
	l.Error("Metrics are missing from the page", "err", strings.TrimSpace(fmt.Sprintln(v...)))
}

// probe answers 200, or 503 with the reason.
func probe(check func() error, good string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if err := check(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, err)
			return
		}
		fmt.Fprintln(w, good)
	})
}

// reloadHandler loads the configuration anew; a bad one answers 400 with the reason, which holds no value of the file.
func reloadHandler(reload func() error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if reload == nil {
			http.Error(w, "Reloading over HTTP is off, start with --web.enable-lifecycle.", http.StatusForbidden)
			return
		}
		if err := reload(); err != nil {
			http.Error(w, "The previous configuration stays in use: "+err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "Configuration loaded.")
	})
}

// profilesPath is where net/http/pprof wants to be.
const profilesPath = "/debug/pprof/"

func handleProfiles(mux *http.ServeMux) {
	mux.HandleFunc("GET "+profilesPath, pprof.Index)
	mux.HandleFunc("GET "+profilesPath+"cmdline", pprof.Cmdline)
	mux.HandleFunc("GET "+profilesPath+"profile", pprof.Profile)
	mux.HandleFunc("GET "+profilesPath+"symbol", pprof.Symbol)
	mux.HandleFunc("GET "+profilesPath+"trace", pprof.Trace)
}
