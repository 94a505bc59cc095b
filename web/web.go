// Package web serves the exporter's pages: metrics, status, health, readiness and reload.
package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/version"
	toolkit "github.com/prometheus/exporter-toolkit/web"

	"aliyun_dbs_exporter/collector"
)

// maxScrapes bounds the scrapes that are served at a time; the next gets a 503. Two Prometheus servers need two.
const maxScrapes = 16

// Options configure the pages.
type Options struct {
	Collector *collector.Collector
	// Registry holds the metrics that are served, the collector's among them.
	Registry *prometheus.Registry
	// TelemetryPath is where they are served, such as /metrics.
	TelemetryPath string
	// Reload loads the configuration anew; nil where reloading over HTTP is off.
	Reload func() error
	// EnablePprof serves profiles under /debug/pprof/.
	EnablePprof bool
	// Logger takes the errors of the metrics handler.
	Logger *slog.Logger
}

// Handler returns the handler of all pages.
func Handler(o Options) (http.Handler, error) {
	landing, err := toolkit.NewLandingPage(toolkit.LandingConfig{
		Name:        "aliyun_dbs_exporter",
		Description: "Prometheus exporter for download tasks of Alibaba Cloud Database Backup Service",
		Version:     version.Info(),
		Profiling:   fmt.Sprint(o.EnablePprof),
		Links: []toolkit.LandingLinks{
			{Address: o.TelemetryPath, Text: "Metrics"},
			{Address: "/-/healthy", Text: "Health"},
			{Address: "/-/ready", Text: "Readiness"},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("build landing page: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", landing)
	mux.Handle("GET "+o.TelemetryPath, metricsHandler(o))
	mux.Handle("GET /-/healthy", probe(o.Collector.Healthy, "aliyun_dbs_exporter is healthy."))
	mux.Handle("GET /-/ready", probe(o.Collector.Ready, "aliyun_dbs_exporter is ready."))
	mux.Handle("POST /-/reload", reloadHandler(o.Reload))
	if o.EnablePprof {
		handlePprof(mux)
	}
	return mux, nil
}

// metricsHandler serves the registry. Broken metrics are left out rather than failing the page.
func metricsHandler(o Options) http.Handler {
	return promhttp.InstrumentMetricHandler(o.Registry, promhttp.HandlerFor(o.Registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(o.Logger.Handler(), slog.LevelError),
		ErrorHandling:       promhttp.ContinueOnError,
		Registry:            o.Registry,
		MaxRequestsInFlight: maxScrapes,
		CoalesceGather:      true, // scrapes at the same time see the same page anyway
		EnableOpenMetrics:   true,
	}))
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

func handlePprof(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}
