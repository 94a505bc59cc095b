package config

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// Reloader loads and applies the configuration, at the start and again while
// the exporter runs. It is safe for concurrent use.
type Reloader struct {
	load   func() (*Config, error)
	apply  func(*Config) error
	logger log.Logger

	mu   sync.Mutex // held while loading and applying
	last atomic.Pointer[Outcome]
}

// Outcome is the result of the last attempt to load and apply the
// configuration.
type Outcome struct {
	// OK reports whether the last attempt succeeded. It is false before the
	// first one.
	OK bool
	// At is when an attempt last succeeded; zero if none has.
	At time.Time
	// Err is why the last attempt failed. It holds no value of the file.
	Err error
}

// NewReloader returns a reloader that gives what load returns to apply. If
// apply fails, it must leave the previous configuration in use.
func NewReloader(load func() (*Config, error), apply func(*Config) error, logger log.Logger) *Reloader {
	r := &Reloader{load: load, apply: apply, logger: logger}
	r.last.Store(new(Outcome))
	return r
}

// Last returns the outcome of the last attempt. It does not wait for one that
// is under way.
func (r *Reloader) Last() Outcome { return *r.last.Load() }

// Reload loads and applies the configuration. If that fails, the previous
// configuration stays in use. Calls run one at a time.
//
// Failures are logged and returned, except for those before the first success,
// which are only returned: without a configuration the exporter cannot start,
// and its caller says so. The errors of a file name the line and the key and
// hold no value.
func (r *Reloader) Reload() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	config, err := r.load()
	if err == nil {
		err = r.apply(config)
	}
	outcome := Outcome{OK: err == nil, At: r.Last().At, Err: err}
	if err == nil {
		outcome.At = time.Now()
	}
	r.last.Store(&outcome)
	switch {
	case err == nil:
		level.Info(r.logger).Log("msg", "Configuration loaded", "targets", len(config.Targets))
	case !outcome.At.IsZero():
		level.Error(r.logger).Log("msg", "Configuration not loaded, the previous one stays in use", "err", err)
	}
	return err
}
