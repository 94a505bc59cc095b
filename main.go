// Command aliyun_dbs_exporter is a Prometheus exporter for the download tasks of Alibaba Cloud Database Backup
// Service (DBS).
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/version"
	toolkit "github.com/prometheus/exporter-toolkit/web"
	"github.com/prometheus/exporter-toolkit/web/kingpinflag"
	sloggokit "github.com/tjhop/slog-gokit"
	"go.yaml.in/yaml/v4"

	"aliyun_dbs_exporter/collector"
	"aliyun_dbs_exporter/collector/progress"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/web"
)

const name = "aliyun_dbs_exporter"

// Exit codes.
const (
	exitGood    = 0
	exitFailure = 1
	exitUsage   = 2
)

const (
	// drainTimeout is how long scrapes may take after the signal to stop; systemd and Kubernetes wait longer.
	drainTimeout = 4 * time.Second
	// readTimeout and writeTimeout bound a request and its answer; a profile may take a minute.
	readTimeout  = 10 * time.Second
	writeTimeout = 90 * time.Second
	idleTimeout  = 2 * time.Minute
)

func main() {
	version.Version = cmp.Or(version.Version, "devel") // not stamped by the linker
	os.Exit(execute(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// options are the parsed flags.
type options struct {
	configFile          string
	check, once, demo   bool
	web                 *toolkit.FlagConfig
	telemetryPath       string
	lifecycle, pprof    bool
	shard               collector.Shard
	logLevel, logFormat string
	stdout, stderr      io.Writer
	logger              log.Logger
	slogger             *slog.Logger
}

// execute is main with its surroundings as arguments; it returns the exit code.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o := options{stdout: stdout, stderr: stderr}
	switch done, err := o.parse(args); {
	case err != nil:
		fmt.Fprintf(stderr, "%s: error: %s, try --help\n", name, err)
		return exitUsage
	case done:
		return exitGood
	}
	o.newLoggers()
	command := o.serve
	switch {
	case o.check:
		command = o.checkConfig
	case o.once:
		command = o.pollOnce
	}
	if err := command(ctx); err != nil {
		level.Error(o.logger).Log("msg", "Exiting", "err", err)
		return exitFailure
	}
	return exitGood
}

// parse reads flags and their environment variables; done means that help or version was all that was asked for.
func (o *options) parse(args []string) (done bool, err error) {
	app := kingpin.New(name, "Prometheus exporter for the download tasks of Alibaba Cloud Database Backup Service.")
	app.UsageWriter(o.stdout).ErrorWriter(o.stderr)
	app.Terminate(func(int) { done = true })
	app.DefaultEnvars()
	// ALIYUN_DBS_EXPORTER_VERSION=1.2 in a deployment is not a wish to see the version.
	app.HelpFlag.Short('h').NoEnvar()
	app.Version(version.Print(name)).VersionFlag.NoEnvar()

	app.Flag("config.file", "Path of the configuration file.").Default("config.yml").StringVar(&o.configFile)
	app.Flag("config.check", "Check the configuration, print what was understood, and exit.").BoolVar(&o.check)
	app.Flag("once", "Poll every plan once, print the metrics to standard output, and exit.").BoolVar(&o.once)
	app.Flag("demo", "Run against an embedded, simulated DBS API: no configuration, no account.").BoolVar(&o.demo)
	o.web = kingpinflag.AddFlags(app, ":9977")
	app.Flag("web.telemetry-path", "Path under which to expose metrics.").Default("/metrics").StringVar(&o.telemetryPath)
	app.Flag("web.enable-lifecycle", "Enable reloading by a POST to /-/reload.").BoolVar(&o.lifecycle)
	app.Flag("web.enable-pprof", "Enable profiles under /debug/pprof/.").BoolVar(&o.pprof)
	app.Flag("shard.count", "Number of exporters that share the plans of the configuration.").Default("1").IntVar(&o.shard.Count)
	app.Flag("shard.index", "Poll the plans of this one of them, counted from 0.").Default("0").IntVar(&o.shard.Index)
	app.Flag("log.level", "Only log messages with the given severity or above.").Default("info").EnumVar(&o.logLevel, "debug", "info", "warn", "error")
	app.Flag("log.format", "Output format of log messages.").Default("logfmt").EnumVar(&o.logFormat, "logfmt", "json")
	_, err = app.Parse(args)
	if err == nil && !done && (o.shard.Index < 0 || o.shard.Index >= o.shard.Count) {
		err = fmt.Errorf("shard.index %d is not from 0 to below shard.count %d", o.shard.Index, o.shard.Count)
	}
	return done, err
}

// newLoggers sets the loggers, for our own code and for libraries that want slog; both write to the same sink.
func (o *options) newLoggers() {
	writer := log.NewSyncWriter(o.stderr)
	sink := log.NewLogfmtLogger(writer)
	if o.logFormat == "json" {
		sink = log.NewJSONLogger(writer)
	}
	filtered := level.NewFilter(sink, level.Allow(level.ParseDefault(o.logLevel, level.InfoValue())))
	o.logger = log.With(filtered, "time", log.DefaultTimestampUTC, "caller", log.DefaultCaller)

	var slogLevel slog.LevelVar
	if slogLevel.UnmarshalText([]byte(o.logLevel)) == nil {
		o.slogger = slog.New(sloggokit.NewGoKitHandler(sink, &slogLevel))
	}
}

// source returns how the configuration is loaded, and what to call at the end.
func (o *options) source(ctx context.Context) (load func() (*collector.Config, error), end func(), err error) {
	if !o.demo {
		return func() (*collector.Config, error) { return collector.LoadConfig(o.configFile) }, func() {}, nil
	}
	demo, err := dbssim.StartDemo(ctx)
	if err != nil {
		return nil, nil, err
	}
	o.configFile = "demo.yml (built in)"
	return func() (*collector.Config, error) { return collector.ParseConfig(demo.Config(), o.configFile) }, demo.Close, nil
}

// serve runs the exporter until a signal comes or a part of it fails.
func (o *options) serve(ctx context.Context) error {
	level.Info(o.logger).Log("msg", "Starting "+name, "version", version.Info())
	level.Info(o.logger).Log("msg", "Build context", "build_context", version.BuildContext())
	load, end, err := o.source(ctx)
	if err != nil {
		return err
	}
	defer end()
	config, err := load()
	if err != nil {
		return err
	}
	c, err := collector.New(config, collector.Options{Shard: o.shard}, log.With(o.logger, "component", "collector"))
	if err != nil {
		return err
	}
	r := web.NewReloader(load, c, o.logger)
	server, err := o.newServer(c, r)
	if err != nil {
		return err
	}

	var group run.Group
	group.Add(run.SignalHandler(ctx, syscall.SIGINT, syscall.SIGTERM))
	group.Add(actor(ctx, func(ctx context.Context) error { c.Run(ctx); return nil }))
	group.Add(actor(ctx, r.Run))
	group.Add(
		func() error { return toolkit.ListenAndServe(server, o.web, o.slogger) },
		func(error) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
			defer cancel()
			if server.Shutdown(ctx) != nil {
				server.Close()
			}
		},
	)
	if err = group.Run(); errors.Is(err, run.ErrSignal) {
		level.Info(o.logger).Log("msg", "Stopped", "reason", err)
		return nil
	}
	return err
}

// actor makes a member of a run group from a function that ends with its context.
func actor(ctx context.Context, execute func(context.Context) error) (func() error, func(error)) {
	ctx, cancel := context.WithCancel(ctx)
	return func() error { return execute(ctx) }, func(error) { cancel() }
}

func (o *options) newServer(c *collector.Collector, r *web.Reloader) (*http.Server, error) {
	registry := newRegistry(c)
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	pages := web.Options{
		Collector:     c,
		Registry:      registry,
		ConfigFile:    o.configFile,
		TelemetryPath: o.telemetryPath,
		EnablePprof:   o.pprof,
		Logger:        o.slogger,
	}
	if o.lifecycle {
		pages.Reload = r.Reload
	}
	handler, err := web.Handler(pages)
	if err != nil {
		return nil, err
	}
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(o.slogger.Handler(), slog.LevelWarn),
	}, nil
}

// newRegistry holds the exporter's own metrics, without those of the Go runtime and the process.
func newRegistry(c *collector.Collector) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(c, versioncollector.NewCollector("aliyun_dbs_exporter"))
	return registry
}

// checkConfig prints what the configuration files are understood to say.
func (o *options) checkConfig(ctx context.Context) error {
	load, end, err := o.source(ctx)
	if err != nil {
		return err
	}
	defer end()
	config, err := load()
	if err != nil {
		return err
	}
	if err := toolkit.Validate(*o.web.WebConfigFile); err != nil {
		return fmt.Errorf("check %s: %w", *o.web.WebConfigFile, err)
	}
	text, err := yaml.Dump(config)
	if err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	_, err = o.stdout.Write(text)
	return err
}

// pollOnce polls every plan once and prints the metrics.
func (o *options) pollOnce(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	load, end, err := o.source(ctx)
	if err != nil {
		return err
	}
	defer end()
	config, err := load()
	if err != nil {
		return err
	}
	shown := progress.New(o.stderr)
	// The outcome of every plan is shown; the log would say it again.
	c, err := collector.New(config, collector.Options{OnPoll: shown.Polled, Shard: o.shard}, log.NewNopLogger())
	if err != nil {
		return err
	}
	failure := c.Discover(ctx)
	shown.Start(c.Plans())
	failure = errors.Join(failure, c.PollOnce(ctx))
	shown.End()
	families, err := newRegistry(c).Gather()
	if err != nil {
		return fmt.Errorf("gather metrics: %w", err)
	}
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(o.stdout, family); err != nil {
			return fmt.Errorf("print metrics: %w", err)
		}
	}
	return failure
}
