// Package poll asks the API for the download tasks of backup plans, each plan in
// its interval, and publishes what it found as snapshots. It decides which plans
// are polled; package schedule decides when, and package download which pages and
// tasks a poll reads and what the rows mean.
package poll

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	promconfig "github.com/prometheus/common/config"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/collector/schedule"
	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/credentials"
)

// Options configure a [Poller].
type Options struct {
	// Shard is the part of the plans to poll; the zero value is all.
	Shard Shard
	Hooks Hooks
	// Dial replaces how connections to the API are made, for tests without a
	// network; nil means the network.
	Dial promconfig.DialContextFunc
}

// Hooks are called when something happens, from several goroutines. Any of them
// may be nil.
type Hooks struct {
	// Attempt is called after every attempt to call the API.
	Attempt func(dbsapi.Attempt)
	// Finished is called for every download that this process saw finish, with
	// the time from its creation to its end.
	Finished func(id TargetID, backupType download.BackupType, took time.Duration)
	// Polled is called at the end of every poll with the plan as it is now.
	Polled func(TargetID, Plan)
	// Targets is called with all targets when a configuration comes into use, one
	// call at a time.
	Targets func([]TargetID)
}

// Poller polls the plans of a configuration. It is safe for concurrent use.
type Poller struct {
	options  Options
	logger   log.Logger
	schedule *schedule.Scheduler
	// issuer sends the requests for credentials under every configuration, so
	// that credentials and the source of the default chain outlast a reload.
	issuer  *credentials.Client
	unknown unknownStatuses
	report  *reporter
	health  health

	// once reports whether [Poller.Once] runs the jobs.
	once atomic.Bool

	// mu serializes those who make a new state: Apply and discovery. It guards
	// listsMade, the number of lists that were ever made.
	mu        sync.Mutex
	listsMade int
	state     atomic.Pointer[state]
}

// state is a configuration in use with the targets and plans that follow from
// it. It is not changed once it is published.
type state struct {
	config *config.Config
	// http sends requests to the API.
	http    *http.Client
	targets []*target
}

// target returns the target of an ID, nil if there is none.
func (s *state) target(id TargetID) *target {
	for _, t := range s.targets {
		if t.id == id {
			return t
		}
	}
	return nil
}

// ids returns the IDs of all targets.
func (s *state) ids() []TargetID {
	ids := make([]TargetID, len(s.targets))
	for i, t := range s.targets {
		ids[i] = t.id
	}
	return ids
}

// NumPlans returns how many plans are polled.
func (p *Poller) NumPlans() int {
	n := 0
	for _, t := range p.state.Load().targets {
		n += len(t.plans)
	}
	return n
}

// New returns a poller without a configuration: [Poller.Apply] gives it one. It
// sends nothing before [Poller.Run] or [Poller.Once].
func New(o Options, logger log.Logger) *Poller {
	transport := credentials.NewTransport(credentials.Options{Dial: o.Dial}) // Apply sets another one
	p := &Poller{
		options:  o,
		logger:   logger,
		schedule: schedule.New(),
		issuer:   credentials.NewClient(config.UserAgent(), transport),
		report:   newReporter(logger),
	}
	p.state.Store(&state{config: new(config.Config)})
	return p
}

// Apply replaces the configuration in use. Everything that can fail happens
// first, so that an error leaves the previous configuration in use. Plans that
// stay keep their data, counters and schedule, and a poll in progress ends under
// the configuration that it began with, or begins again if the target has another
// endpoint. New plans are polled at once. Plans that are gone take their series
// with them.
func (p *Poller) Apply(c *config.Config) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.state.Load()
	next := &state{config: c, http: old.http}
	var forCredentials http.RoundTripper // nil for no other
	if next.http == nil || old.config.HTTPClient != c.HTTPClient {
		var err error
		if next.http, err = c.NewHTTPClient(p.options.Dial); err != nil {
			return err
		}
		if forCredentials, err = c.NewCredentialsTransport(p.options.Dial); err != nil {
			return err
		}
	}
	for i := range c.Targets {
		t, err := p.newTarget(next, &c.Targets[i], old)
		if err != nil {
			return err
		}
		next.targets = append(next.targets, t)
	}
	if forCredentials != nil {
		p.issuer.SetTransport(forCredentials)
	}
	p.publish(next)
	if p.options.Hooks.Targets != nil {
		p.options.Hooks.Targets(next.ids())
	}
	return nil
}

// publish makes a state the one in use and schedules what it asks for. The
// caller holds mu.
//
// The schedule comes first: it keeps the counters of jobs that are gone, so that a
// reader of the old state still sees their sum.
func (p *Poller) publish(next *state) {
	_ = p.health.latch(p.state.Load()) // remember readiness before new plans count
	p.schedule.Set(next.quotas(), next.groups(), p.jobs(next))
	p.state.Store(next)
	p.report.logBudgets(p.Snapshot())
}

// update publishes a changed copy of a target. A reload may have replaced the
// target meanwhile, so change also gets the present one; it reports whether there
// is anything to publish.
func (p *Poller) update(id TargetID, change func(now, before *target) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.state.Load()
	before := old.target(id)
	if before == nil {
		return
	}
	now := *before
	if !change(&now, before) {
		return
	}
	next := *old
	next.targets = slices.Clone(old.targets)
	next.targets[slices.Index(next.targets, before)] = &now
	if now.planList == before.planList && now.gateways.unsettled() == before.gateways.unsettled() {
		p.state.Store(&next) // the jobs are the same, and Set would look at all of them
	} else {
		p.publish(&next)
	}
}

// Run polls until the context ends, and returns when everything that it started
// has ended.
func (p *Poller) Run(ctx context.Context) {
	p.health.begin()
	var reports sync.WaitGroup
	defer reports.Wait()
	reports.Go(func() { p.report.run(ctx, p.Snapshot) })
	p.schedule.Run(ctx)
}

// Once lists the plans and backup gateways of the targets that use them and polls
// every plan once. The error counts the lists and polls that failed.
//
// Nothing gets stale: the first result may be older than stale_after when the last
// poll ends, and there will be no other.
func (p *Poller) Once(ctx context.Context) error {
	p.once.Store(true)
	p.schedule.RunOnce(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	discovery := outcomes{"discover plans: %d of %d lists failed", 0, 0}
	gateways := outcomes{"list backup gateways: %d of %d lists failed", 0, 0}
	polls := outcomes{"poll once: %d of %d plans failed", 0, 0}
	for _, t := range p.Snapshot().Targets {
		if t.PlanList != nil {
			discovery.count(t.PlanList.Failure)
		}
		if t.Gateways != nil {
			gateways.count(t.Gateways.Failure)
		}
		for _, plan := range t.Plans {
			polls.count(plan.Poll.Failure)
		}
	}
	return errors.Join(discovery.err(), gateways.err(), polls.err())
}

// outcomes counts how often something was done once, and how often it failed.
type outcomes struct {
	format      string
	failed, all int
}

func (o *outcomes) count(f *Failure) {
	o.all++
	if f != nil {
		o.failed++
	}
}

func (o *outcomes) err() error {
	if o.failed == 0 {
		return nil
	}
	return fmt.Errorf(o.format, o.failed, o.all)
}
