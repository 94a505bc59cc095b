// Package collector exposes what package poll has found as Prometheus metrics. A
// scrape reads one snapshot from memory: it never waits for the API and never
// fails because of it.
package collector

import (
	"github.com/prometheus/client_golang/prometheus"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/collector/poll"
)

// Collector collects the metrics of a snapshot. It is safe for concurrent use.
type Collector struct {
	snapshot    func() *poll.Snapshot
	reload      func() config.Outcome
	instruments *Instruments
}

// Verify that a Collector can be registered.
var _ prometheus.Collector = (*Collector)(nil)

// New returns a collector of what snapshot returns at every scrape. Reload returns
// the outcome of the last attempt to load a configuration, and the instruments
// are those whose hooks the poller calls.
func New(snapshot func() *poll.Snapshot, reload func() config.Outcome, i *Instruments) *Collector {
	return &Collector{snapshot: snapshot, reload: reload, instruments: i}
}

// Describe sends the descriptions of all metrics.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range metrics.families {
		ch <- f.desc
	}
}

// Collect sends the samples of one snapshot. It reads memory only.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	snapshot := c.snapshot()
	s := &scrape{ch: ch, snapshot: snapshot}
	for i := range snapshot.Targets {
		s.target(&snapshot.Targets[i])
	}
	s.tasks()
	s.exporter(c.reload())
	c.instruments.collect(ch)
}
