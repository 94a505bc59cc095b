package collector

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aliyun_dbs_exporter/dbsapi"
)

// instruments are the metrics that count events of this process, as opposed to those that show what the API says.
type instruments struct {
	requests  *prometheus.CounterVec
	failures  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	skipped   *prometheus.CounterVec
	downloads *prometheus.HistogramVec
}

// Native histograms have buckets that grow by a tenth, at most 100 of them, and start over when that is too few.
const (
	nativeFactor     = 1.1
	nativeBuckets    = 100
	nativeResetAfter = time.Hour
)

func newInstruments() *instruments {
	return &instruments{
		requests:  metricAPIRequests.counter(),
		failures:  metricAPIFailures.counter(),
		duration:  metricAPIDuration.histogram(.025, .05, .1, .25, .5, 1, 2.5, 5, 10),
		skipped:   metricRoundsSkipped.counter(),
		downloads: metricDuration.histogram(60, 300, 900, 1800, 3600, 7200, 14400, 28800, 57600, 86400, 172800, 345600),
	}
}

func (f *Family) counter() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: f.Name, Help: f.Help}, f.Labels)
}

func (f *Family) histogram(buckets ...float64) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:                            f.Name,
		Help:                            f.Help,
		Buckets:                         buckets,
		NativeHistogramBucketFactor:     nativeFactor,
		NativeHistogramMaxBucketNumber:  nativeBuckets,
		NativeHistogramMinResetDuration: nativeResetAfter,
	}, f.Labels)
}

func (i *instruments) Collect(ch chan<- prometheus.Metric) {
	for _, c := range []prometheus.Collector{i.requests, i.failures, i.duration, i.skipped, i.downloads} {
		c.Collect(ch)
	}
}

// forget removes the series of a target that is no longer configured.
func (i *instruments) forget(account, region string) {
	labels := prometheus.Labels{"account": account, "region_id": region}
	i.requests.DeletePartialMatch(labels)
	i.failures.DeletePartialMatch(labels)
	i.skipped.DeletePartialMatch(labels)
	i.downloads.DeletePartialMatch(labels)
}

// targetInstruments are the series of one target. They are looked up once, so that they start at 0, and so that an
// answer that comes after the target is gone does not bring them back.
type targetInstruments struct {
	tasks *callInstruments
	// plans is nil until discovery is on, so that a target without it has no series of it.
	plans     atomic.Pointer[callInstruments]
	skipped   prometheus.Counter
	downloads map[string]prometheus.Observer
	// clockSkew is nil before the first answer.
	clockSkew atomic.Pointer[time.Duration]
}

// callInstruments are the series of one API operation.
type callInstruments struct {
	requests prometheus.Counter
	failures map[dbsapi.Reason]prometheus.Counter
	duration prometheus.Observer
}

func (i *instruments) target(account, region string) *targetInstruments {
	t := &targetInstruments{
		tasks:     i.call(account, region, dbsapi.ActionDownloadTasks),
		skipped:   i.skipped.WithLabelValues(account, region),
		downloads: make(map[string]prometheus.Observer),
	}
	for _, kind := range []string{backupFull, backupIncremental, backupUnknown} {
		t.downloads[kind] = i.downloads.WithLabelValues(account, region, kind)
	}
	return t
}

func (i *instruments) call(account, region, action string) *callInstruments {
	call := &callInstruments{
		requests: i.requests.WithLabelValues(account, region, action),
		failures: make(map[dbsapi.Reason]prometheus.Counter),
		duration: i.duration.WithLabelValues(action),
	}
	for _, reason := range dbsapi.Reasons {
		call.failures[reason] = i.failures.WithLabelValues(account, region, action, string(reason))
	}
	return call
}

// observe counts one attempt to call the API.
func (t *targetInstruments) observe(a dbsapi.Attempt) {
	call := t.tasks
	if a.Action == dbsapi.ActionBackupPlans {
		call = t.plans.Load()
	}
	call.requests.Inc()
	if a.Err != nil {
		call.failures[a.Err.Reason()].Inc()
	}
	if a.Duration > 0 {
		call.duration.Observe(a.Duration.Seconds())
	}
	if !a.ServerTime.IsZero() {
		skew := a.ServerTime.Sub(a.LocalTime)
		t.clockSkew.Store(&skew)
	}
}

// observeDownloads counts the downloads that ended.
func (t *targetInstruments) observeDownloads(e ended) {
	for kind, durations := range e.durations {
		for _, d := range durations {
			t.downloads[kind].Observe(d.Seconds())
		}
	}
}
