package web

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"aliyun_dbs_exporter/collector"
)

// Reloader loads the configuration anew while the exporter runs, one at a time.
type Reloader struct {
	load      func() (*collector.Config, error)
	collector *collector.Collector
	logger    log.Logger
	mu        sync.Mutex
}

// NewReloader returns a reloader that applies what load returns.
func NewReloader(load func() (*collector.Config, error), c *collector.Collector, logger log.Logger) *Reloader {
	return &Reloader{load: load, collector: c, logger: logger}
}

// Reload loads and applies the configuration, or leaves everything as it is. It logs the outcome. The error names line
// and key of the file and holds no value.
func (r *Reloader) Reload() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	config, err := r.load()
	if err != nil {
		r.collector.LoadFailed(err)
	} else {
		err = r.collector.Apply(config)
	}
	if err != nil {
		level.Error(r.logger).Log("msg", "Configuration not loaded, the previous one stays in use", "err", err)
		return err
	}
	level.Info(r.logger).Log("msg", "Configuration loaded", "targets", len(config.Targets), "plans", r.collector.Plans())
	return nil
}

// Run reloads at every SIGHUP until the context ends.
func (r *Reloader) Run(ctx context.Context) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-hangup:
			_ = r.Reload() // logged
		case <-ctx.Done():
			return nil
		}
	}
}
