// Package collector polls the download tasks of backup plans in the background and exposes what it found as
// Prometheus metrics. A scrape reads memory: it never waits for the API and never fails because of it.
package collector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"
	promconfig "github.com/prometheus/common/config"
)

// Options configure a [Collector].
type Options struct {
	// OnPoll is called after every poll, from several goroutines. It may be nil.
	OnPoll func(PollResult)
	// Dial replaces how connections to the API are made, for tests without a network; nil means the network.
	Dial promconfig.DialContextFunc
	// Shard is the part of the plans to poll; the zero value is all.
	Shard Shard
}

// Collector polls the plans of a configuration and collects their metrics. It is safe for concurrent use.
type Collector struct {
	options     Options
	logger      log.Logger
	instruments *instruments
	unknown     unknownStatuses

	// applying serializes Apply.
	applying sync.Mutex
	// applied is the configuration in use.
	applied atomic.Pointer[applied]
	// changed tells Run that applied is new.
	changed chan struct{}
	// budgets are what was logged of the API budgets last.
	budgetsMu sync.Mutex
	budgets   map[quota]budget
	// reload is the outcome of the last attempt to load a configuration.
	reload atomic.Pointer[reloadState]
}

// reloadState is the outcome of the last attempt to load a configuration, and when the last good one was.
type reloadState struct {
	ok     bool
	goodAt time.Time
	err    error
}

// Verify that a Collector can be registered.
var _ prometheus.Collector = (*Collector)(nil)

// New returns a collector of a configuration. It polls nothing before [Collector.Run] or [Collector.PollOnce].
func New(c *Config, o Options, logger log.Logger) (*Collector, error) {
	collector := &Collector{
		options:     o,
		logger:      logger,
		instruments: newInstruments(),
		changed:     make(chan struct{}, 1),
	}
	collector.applied.Store(new(applied))
	collector.reload.Store(new(reloadState))
	if err := collector.Apply(c); err != nil {
		return nil, err
	}
	return collector, nil
}

// Run polls every target in a loop of its own until the context ends, and returns when all loops have.
func (c *Collector) Run(ctx context.Context) {
	var loops sync.WaitGroup
	defer loops.Wait()
	running := make(map[*target]context.CancelFunc)
	for {
		wanted := make(map[*target]bool)
		for _, t := range c.applied.Load().targets {
			wanted[t] = true
			if running[t] == nil {
				loopCtx, stop := context.WithCancel(ctx)
				running[t] = stop
				loops.Go(func() { t.run(loopCtx) })
			}
		}
		for t, stop := range running {
			if !wanted[t] {
				stop()
				delete(running, t)
			}
		}
		select {
		case <-ctx.Done():
			for _, stop := range running {
				stop()
			}
			return
		case <-c.changed:
		}
	}
}

// Discover lists the plans of the targets that use discovery. The error counts the targets whose list is not good.
func (c *Collector) Discover(ctx context.Context) error {
	var lists sync.WaitGroup
	targets := c.applied.Load().targets
	for _, t := range targets {
		if s := t.settings.Load(); s.config.Discovery.Enabled {
			lists.Go(func() { t.discover(ctx, s) })
		}
	}
	lists.Wait()
	asked, failed := 0, 0
	for _, t := range targets {
		if d := t.discovered.Load(); d != nil {
			asked++
			if d.err != nil {
				failed++
			}
		}
	}
	if failed > 0 {
		return fmt.Errorf("discover plans: %d of %d lists failed", failed, asked)
	}
	return ctx.Err()
}

// PollOnce polls every known plan once. The error counts the plans that failed.
func (c *Collector) PollOnce(ctx context.Context) error {
	var rounds sync.WaitGroup
	targets := c.applied.Load().targets
	for _, t := range targets {
		rounds.Go(func() { t.round(ctx) })
	}
	rounds.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	plans, failed := 0, 0
	for _, t := range targets {
		for _, p := range *t.plans.Load() {
			plans++
			if p.state.Load().err != nil {
				failed++
			}
		}
	}
	if failed > 0 {
		return fmt.Errorf("poll once: %d of %d plans failed", failed, plans)
	}
	return nil
}

// Plans returns how many plans are polled.
func (c *Collector) Plans() int {
	n := 0
	for _, t := range c.applied.Load().targets {
		n += len(*t.plans.Load())
	}
	return n
}

// Ready returns nil as soon as every target has ended its first round.
func (c *Collector) Ready() error {
	for _, t := range c.applied.Load().targets {
		if !t.ready.Load() {
			return fmt.Errorf("the first poll round of account %s in %s has not ended", t.account, t.region)
		}
	}
	return nil
}

// healthySlack is what a loop may be late by: a busy machine, a long garbage collection.
const healthySlack = 10 * time.Second

// Healthy returns nil while the loops of all targets turn. Between two rounds a loop rests for up to an interval, and
// inside one it turns with the end of every poll, which takes less than that.
func (c *Collector) Healthy() error {
	applied := c.applied.Load()
	limit := 2*time.Duration(applied.config.PollInterval) + healthySlack
	for _, t := range applied.targets {
		if still := time.Since(time.Unix(0, t.beat.Load())); still > limit {
			return errors.New("the poll loop of account " + t.account + " in " + t.region + " stands still")
		}
	}
	return nil
}
