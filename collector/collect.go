package collector

import (
	"cmp"
	"container/heap"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Describe sends the descriptions of all metrics.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range metrics.families {
		ch <- f.desc
	}
}

// Collect sends what the polls have published. It reads memory only.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	applied := c.applied.Load()
	page := &page{ch: ch, now: time.Now(), config: applied.config}
	for _, t := range applied.targets {
		page.target(t)
	}
	page.tasks()
	page.add(metricPollInterval, time.Duration(applied.config.PollInterval).Seconds())
	page.reload(c.reload.Load())
	c.instruments.Collect(ch)
}

// page is one scrape.
type page struct {
	ch     chan<- prometheus.Metric
	now    time.Time
	config *Config
	// listings are those of all plans, for the limit on tasks in total.
	listings []planListing
}

// planListing is the listing of a plan with its labels.
type planListing struct {
	labels  []string
	listing *listing
}

func (p *page) add(f *Family, value float64, labels ...string) {
	p.ch <- f.metric(value, labels...)
}

// addTime sends a time, unless there is none.
func (p *page) addTime(f *Family, at time.Time, labels ...string) {
	if !at.IsZero() {
		p.add(f, seconds(at), labels...)
	}
}

// seconds is a time as Prometheus has it, exact to the millisecond.
func seconds(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }

func boolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (p *page) target(t *target) {
	if skew := t.instruments.clockSkew.Load(); skew != nil {
		p.add(metricClockSkew, skew.Seconds(), t.account, t.region)
	}
	p.addTime(metricCredentialsExpiry, t.settings.Load().credentials.ExpiresAt(), t.account, t.region)
	wanted := 0
	for _, plan := range *t.plans.Load() {
		labels := []string{t.account, t.region, plan.id}
		facts := plan.facts.Load()
		p.facts(labels, facts)
		p.plan(labels, facts, plan.state.Load())
		if facts.discovered {
			wanted++
		}
	}
	if d := t.discovered.Load(); d != nil {
		p.add(metricDiscoverySuccess, boolValue(d.err == nil), t.account, t.region)
		if !d.goodAt.IsZero() {
			p.addTime(metricDiscoveryLastSuccess, d.goodAt, t.account, t.region)
			p.add(metricDiscoveredPlans, float64(wanted), t.account, t.region)
		}
	}
}

// facts sends what is known of a plan besides its downloads.
func (p *page) facts(labels []string, f *planFacts) {
	p.add(metricPlanInfo, 1, with(labels, f.name, f.databaseType)...)
	if f.status != "" {
		p.add(metricPlanStatus, 1, with(labels, f.status)...)
	}
	if f.autoDownload != nil {
		p.add(metricAutoDownload, boolValue(*f.autoDownload), labels...)
	}
}

// plan sends the polling health of a plan, and its downloads while they are fresh.
func (p *page) plan(labels []string, facts *planFacts, s *planState) {
	p.add(metricPolls, float64(s.polls), labels...)
	p.add(metricPollFailures, float64(s.failures), labels...)
	p.add(metricFinished, float64(s.finished), labels...)
	p.add(metricFailed, float64(s.failed), labels...)
	p.addTime(metricPollLastSuccess, s.goodAt, labels...)
	if facts.maxSuccessAge > 0 {
		p.add(metricMaxSuccessAge, facts.maxSuccessAge.Seconds(), labels...)
	}
	if s.polled() {
		p.add(metricPollSuccess, boolValue(s.err == nil), labels...)
		p.add(metricPollDuration, s.duration.Seconds(), labels...)
	}
	if s.fresh(p.now, time.Duration(p.config.StaleAfter)) {
		p.listing(labels, s.listing)
		p.listings = append(p.listings, planListing{labels, s.listing})
	}
}

// listing sends what a plan's listing sums up to.
func (p *page) listing(labels []string, l *listing) {
	for i, name := range statusNames {
		withStatus := with(labels, name)
		p.add(metricTasks, float64(l.counts[i]), withStatus...)
		p.add(metricDataBytes, float64(l.bytes[i]), withStatus...)
		p.addTime(metricLastFailure, l.lastFailure[i], withStatus...)
		p.addTime(metricOldestCreated, l.oldest[i], withStatus...)
	}
	if last := l.lastSuccess; last != nil {
		p.addTime(metricLastSuccess, last.Finished, labels...)
		p.add(metricLastSuccessBytes, float64(last.DataBytes), labels...)
		if d, ok := last.duration(); ok {
			p.add(metricLastSuccessDuration, d.Seconds(), labels...)
		}
	}
	p.add(metricListingComplete, boolValue(l.complete), labels...)
	for i, name := range faultNames {
		p.add(metricInvalidTasks, float64(l.faults[i]), with(labels, name)...)
	}
}

// tasks sends the series of single tasks, within the limit on their total.
func (p *page) tasks() {
	if !p.config.TaskSeries.Enabled {
		return
	}
	for i, kept := range p.shares(p.config.TaskSeries.MaxTotal) {
		l, labels := p.listings[i].listing, p.listings[i].labels
		for t := range kept {
			p.task(labels, &l.tasks[t])
		}
		p.add(metricTasksHidden, float64(l.hiddenByAge), with(labels, "age")...)
		p.add(metricTasksHidden, float64(l.hiddenByLimit+len(l.tasks)-kept), with(labels, "limit")...)
	}
}

// shares returns how many of each plan's tasks are among the most urgent of all, as many as the limit allows. A plan's
// tasks are in the order of urgency, so its share is a number.
func (p *page) shares(limit int) []int {
	next := &urgentFirst{shares: make([]int, len(p.listings)), listings: p.listings}
	for i, pl := range p.listings {
		if len(pl.listing.tasks) > 0 {
			next.plans = append(next.plans, i)
		}
	}
	heap.Init(next)
	for ; limit > 0 && len(next.plans) > 0; limit-- {
		i := next.plans[0]
		next.shares[i]++
		if next.shares[i] == len(p.listings[i].listing.tasks) {
			heap.Pop(next)
		} else {
			heap.Fix(next, 0)
		}
	}
	return next.shares
}

// urgentFirst is a heap of plans by the first of their tasks that is not in their share.
type urgentFirst struct {
	plans    []int
	shares   []int
	listings []planListing
}

func (u *urgentFirst) first(plan int) *task { return &u.listings[plan].listing.tasks[u.shares[plan]] }

func (u *urgentFirst) Len() int { return len(u.plans) }

func (u *urgentFirst) Less(i, j int) bool {
	return cmp.Or(byUrgency(u.first(u.plans[i]), u.first(u.plans[j])), cmp.Compare(u.plans[i], u.plans[j])) < 0
}

func (u *urgentFirst) Swap(i, j int) { u.plans[i], u.plans[j] = u.plans[j], u.plans[i] }

// Push is not used: plans only leave.
func (u *urgentFirst) Push(plan any) { u.plans = append(u.plans, plan.(int)) }

func (u *urgentFirst) Pop() any {
	last := u.plans[len(u.plans)-1]
	u.plans = u.plans[:len(u.plans)-1]
	return last
}

func (p *page) task(plan []string, t *task) {
	labels := with(plan, t.ID)
	p.add(metricTaskInfo, 1, with(labels, label(t.Name), label(t.BackupSetID), t.backupType(), label(t.DBType),
		label(t.DataFormat), label(t.Way), label(t.TargetType), label(t.GatewayID))...)
	p.add(metricTaskStatus, 1, with(labels, t.status.String())...)
	p.add(metricTaskBytes, float64(t.DataBytes), labels...)
	p.addTime(metricTaskCreated, t.Created, labels...)
	if t.status.terminal() {
		p.addTime(metricTaskFinished, t.Finished, labels...)
	}
	if d, ok := t.duration(); ok {
		p.add(metricTaskDuration, d.Seconds(), labels...)
	}
}

func (p *page) reload(r *reloadState) {
	p.add(metricReloadSuccess, boolValue(r.ok))
	p.addTime(metricReloadTime, r.goodAt)
}
