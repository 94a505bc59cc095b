// Command aliyun_dbs_exporter is a Prometheus exporter for the download tasks of
// Alibaba Cloud Database Backup Service (DBS).
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
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
	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/collector/progress"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/web"
)

const name = "aliyun_dbs_exporter"

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

const (
	// drainTimeout is how long scrapes may take after the signal to stop; systemd
	// and Kubernetes wait longer.
	drainTimeout = 4 * time.Second
	// readTimeout and writeTimeout bound a request and its response; a profile
	// may take a minute.
	readTimeout  = 10 * time.Second
	writeTimeout = 90 * time.Second
	idleTimeout  = 2 * time.Minute
)

// gcPercent is how far the heap grows between two collections, as in Prometheus:
// a tenth less memory than with Go's 100 for a million tasks, and 3 % more CPU
// time. The environment variable GOGC overrides it.
const gcPercent = 75

func main() {
	version.Version = cmp.Or(version.Version, "devel") // not stamped by the linker
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr))
}

// options are the parsed flags.
type options struct {
	configFile          string
	check, once, demo   bool
	web                 *toolkit.FlagConfig
	telemetryPath       string
	lifecycle, pprof    bool
	shard               poll.Shard
	logLevel, logFormat string
	stdout, stderr      io.Writer
	logger              log.Logger
	slogger             *slog.Logger
	// hangup receives SIGHUP.
	hangup chan os.Signal
}

// execute is main with its surroundings as arguments; it returns the exit code.
//
// Signals are caught before anything else, so that none is lost during the
// start: SIGINT and SIGTERM stop, SIGHUP reloads.
func execute(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	o := options{stdout: stdout, stderr: stderr, hangup: make(chan os.Signal, 1)}
	signal.Notify(o.hangup, syscall.SIGHUP)
	defer signal.Stop(o.hangup)
	switch done, err := o.parse(args); {
	case err != nil:
		fmt.Fprintf(stderr, "%s: error: %s, try --help\n", name, err)
		return exitUsage
	case done:
		return exitOK
	}
	o.newLoggers()
	if err := o.run(ctx); err != nil {
		level.Error(o.logger).Log("msg", "Exiting", "err", err)
		return exitFailure
	}
	return exitOK
}

// parse reads flags and their environment variables. Done reports whether help
// or version was all that was asked for.
func (o *options) parse(args []string) (done bool, err error) {
	app := kingpin.New(name, "Prometheus exporter for the download tasks of Alibaba Cloud Database Backup Service.")
	app.UsageWriter(o.stdout).ErrorWriter(o.stderr)
	app.Terminate(func(int) { done = true })
	app.DefaultEnvars()
	// The environment must not trigger --help or --version: a deployment may set
	// ALIYUN_DBS_EXPORTER_VERSION=1.2.
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

// newLoggers sets the loggers, for our own code and for libraries that want slog;
// both write to the same sink. The standard library's own logger is discarded:
// net/http writes what a server sends unasked to it.
func (o *options) newLoggers() {
	stdlog.SetOutput(io.Discard)
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

// run runs the command that the flags ask for on the configuration that they
// name.
func (o *options) run(ctx context.Context) error {
	load := func() (*config.Config, error) { return config.Load(o.configFile) }
	if o.demo {
		demo, err := dbssim.StartDemo(ctx)
		if err != nil {
			return err
		}
		defer demo.Close()
		o.configFile = "demo.yml (built in)"
		load = func() (*config.Config, error) { return config.Parse(demo.Config(), o.configFile) }
	}
	switch {
	case o.check:
		return o.checkConfig(load)
	case o.once:
		return o.pollOnce(ctx, load)
	}
	return o.serve(ctx, load)
}

// serve runs the exporter until a signal comes or a part of it fails.
func (o *options) serve(ctx context.Context, load func() (*config.Config, error)) error {
	level.Info(o.logger).Log("msg", "Starting "+name, "version", version.Info())
	level.Info(o.logger).Log("msg", "Build context", "build_context", version.BuildContext())
	instruments := collector.NewInstruments()
	poller := poll.New(poll.Options{Shard: o.shard, Hooks: instruments.Hooks()}, log.With(o.logger, "component", "poll"))
	reloader := config.NewReloader(load, poller.Apply, o.logger)
	if err := reloader.Reload(); err != nil {
		return err
	}
	registry := newRegistry(collector.New(poller.Snapshot, reloader.Last, instruments))
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	server, listening, err := o.newServer(poller, reloader, registry)
	if err != nil {
		return err
	}

	var group run.Group
	group.Add(actor(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil })) // a signal
	group.Add(actor(ctx, func(ctx context.Context) error { return o.reloadOnHangup(ctx, reloader) }))
	group.Add(actor(ctx, func(ctx context.Context) error {
		// A port that is taken ends the process before it has called the API.
		select {
		case <-listening:
			poller.Run(ctx)
		case <-ctx.Done():
		}
		return nil
	}))
	group.Add(
		func() error { return toolkit.ListenAndServe(server, o.web, o.slogger) },
		func(error) {
			// Not derived from ctx, which has ended: Shutdown would return at once
			// instead of draining scrapes.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
			defer cancel()
			if server.Shutdown(ctx) != nil {
				server.Close()
			}
		},
	)
	if err = group.Run(); ctx.Err() == nil {
		return err
	}
	level.Info(o.logger).Log("msg", "Stopped", "reason", context.Cause(ctx))
	return nil
}

// actor makes a member of a run group from a function that ends with its context.
func actor(ctx context.Context, execute func(context.Context) error) (func() error, func(error)) {
	ctx, cancel := context.WithCancel(ctx)
	return func() error { return execute(ctx) }, func(error) { cancel() }
}

// reloadOnHangup reloads at every SIGHUP until the context ends.
func (o *options) reloadOnHangup(ctx context.Context, r *config.Reloader) error {
	for {
		select {
		case <-o.hangup:
			_ = r.Reload() // logged
		case <-ctx.Done():
			return nil
		}
	}
}

// newServer returns the server of all pages, and a channel that is closed once it
// listens.
func (o *options) newServer(p *poll.Poller, r *config.Reloader, registry *prometheus.Registry) (*http.Server, <-chan struct{}, error) {
	handler, err := web.Handler(web.Options{
		Snapshot:        p.Snapshot,
		Reload:          r,
		Ready:           p.Ready,
		Healthy:         p.Healthy,
		Registry:        registry,
		ConfigFile:      o.configFile,
		TelemetryPath:   o.telemetryPath,
		EnableLifecycle: o.lifecycle,
		EnablePprof:     o.pprof,
		Logger:          o.slogger,
	})
	if err != nil {
		return nil, nil, err
	}
	listening := make(chan struct{})
	var once sync.Once // there may be several listeners
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(o.slogger.Handler(), slog.LevelWarn),
		BaseContext: func(net.Listener) context.Context {
			once.Do(func() { close(listening) })
			return context.Background()
		},
	}, listening, nil
}

// newRegistry holds the exporter's own metrics, without those of the Go runtime
// and the process.
func newRegistry(c *collector.Collector) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(c, versioncollector.NewCollector(name))
	return registry
}

// checkConfig prints what the configuration files are understood to say.
func (o *options) checkConfig(load func() (*config.Config, error)) error {
	c, err := load()
	if err != nil {
		return err
	}
	if err := toolkit.Validate(*o.web.WebConfigFile); err != nil {
		return fmt.Errorf("check %s: %w", *o.web.WebConfigFile, err)
	}
	text, err := yaml.Dump(c)
	if err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	_, err = o.stdout.Write(text)
	return err
}

// pollOnce polls every plan once and prints the metrics.
func (o *options) pollOnce(ctx context.Context, load func() (*config.Config, error)) error {
	instruments := collector.NewInstruments()
	hooks := instruments.Hooks()
	var poller *poll.Poller
	shown := progress.New(o.stderr, func() int { return poller.NumPlans() })
	hooks.Polled = shown.Polled
	// The progress shows the outcome of every plan; the log would repeat it.
	poller = poll.New(poll.Options{Shard: o.shard, Hooks: hooks}, log.NewNopLogger())
	reloader := config.NewReloader(load, poller.Apply, log.NewNopLogger())
	if err := reloader.Reload(); err != nil {
		return err
	}
	failure := poller.Once(ctx)
	shown.End()
	families, err := newRegistry(collector.New(poller.Snapshot, reloader.Last, instruments)).Gather()
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
