package collector

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi"
)

// Instruments are the histograms, which observe events: a snapshot holds only
// numbers. They are safe for concurrent use.
type Instruments struct {
	requests  *prometheus.HistogramVec
	downloads *prometheus.HistogramVec

	// mu guards targets, those of the configuration in use.
	mu      sync.Mutex
	targets map[poll.TargetID]bool
}

// Native histograms have buckets that grow by a tenth, at most 100 of them, and
// start over when that is too few.
const (
	nativeFactor     = 1.1
	nativeBuckets    = 100
	nativeResetAfter = time.Hour
)

// NewInstruments returns histograms without observations.
func NewInstruments() *Instruments {
	i := &Instruments{
		requests:  metricAPIDuration.histogram(.025, .05, .1, .25, .5, 1, 2.5, 5, 10),
		downloads: metricDuration.histogram(60, 300, 900, 1800, 3600, 7200, 14400, 28800, 57600, 86400, 172800, 345600),
	}
	i.requests.WithLabelValues(dbsapi.ActionDownloadTasks) // is there from the start
	return i
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

// Hooks returns the hooks by which a poller feeds the histograms.
func (i *Instruments) Hooks() poll.Hooks {
	return poll.Hooks{
		Attempt: func(a dbsapi.Attempt) {
			if a.Sent {
				i.requests.WithLabelValues(a.Action).Observe(a.Duration.Seconds())
			}
		},
		Finished: i.finished,
		Targets:  i.setTargets,
	}
}

// finished observes a download, unless its target has gone meanwhile: nothing
// would delete the series again.
func (i *Instruments) finished(id poll.TargetID, backupType download.BackupType, took time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.targets[id] {
		i.downloads.WithLabelValues(id.Account, id.RegionID, backupType.String()).Observe(took.Seconds())
	}
}

// setTargets creates the series of new targets and deletes those of targets that
// have gone.
func (i *Instruments) setTargets(ids []poll.TargetID) {
	i.mu.Lock()
	defer i.mu.Unlock()
	targets := make(map[poll.TargetID]bool, len(ids))
	for _, id := range ids {
		targets[id] = true
		for backupType := range download.NumBackupTypes {
			i.downloads.WithLabelValues(id.Account, id.RegionID, backupType.String())
		}
	}
	for id := range i.targets {
		if !targets[id] {
			i.downloads.DeletePartialMatch(prometheus.Labels{"account": id.Account, "region_id": id.RegionID})
		}
	}
	i.targets = targets
}

// collect sends the histograms.
func (i *Instruments) collect(ch chan<- prometheus.Metric) {
	i.requests.Collect(ch)
	i.downloads.Collect(ch)
}
