package collector

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi"
)

// scrape sends the samples of one snapshot.
type scrape struct {
	ch       chan<- prometheus.Metric
	snapshot *poll.Snapshot
}

func (s *scrape) add(f *Family, value float64, labels ...string) {
	s.ch <- f.metric(value, labels...)
}

// addTime sends a time, unless there is none.
func (s *scrape) addTime(f *Family, at time.Time, labels ...string) {
	if !at.IsZero() {
		s.add(f, unixSeconds(at), labels...)
	}
}

// unixSeconds is a time as Prometheus has it, exact to the millisecond.
func unixSeconds(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }

func boolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (s *scrape) target(t *poll.Target) {
	labels := []string{t.ID.Account, t.ID.RegionID}
	if t.ClockSkew != nil {
		s.add(metricClockSkew, t.ClockSkew.Seconds(), labels...)
	}
	s.addTime(metricCredentialsExpiry, t.CredentialsExpireAt, labels...)
	s.add(metricPollsSkipped, float64(t.Skipped), labels...)
	for _, calls := range t.Calls {
		s.add(metricAPIRequests, float64(calls.Requests), appendLabels(labels, calls.Action)...)
		for i, reason := range dbsapi.Reasons {
			s.add(metricAPIFailures, float64(calls.Failures[i]), appendLabels(labels, calls.Action, string(reason))...)
		}
	}
	if t.PlanList != nil {
		s.list(metricDiscoverySuccess, metricDiscoveryLastSuccess, labels, &t.PlanList.List)
		if t.PlanList.Fresh {
			s.add(metricDiscoveredPlans, float64(t.PlanList.Wanted), labels...)
		}
	}
	if t.Gateways != nil {
		s.list(metricGatewayListSuccess, metricGatewayListLastSuccess, labels, &t.Gateways.List)
		for i := range t.Gateways.Rows {
			s.gateway(appendLabels(labels, t.Gateways.Rows[i].ID), &t.Gateways.Rows[i])
		}
	}
	for i := range t.Plans {
		labels := appendLabels(labels, t.Plans[i].ID)
		s.plan(labels, &t.Plans[i])
		if id := t.Plans[i].Info.DownloadGatewayID; t.Gateways != nil && id != "" {
			s.add(metricPlanGateway, 1, appendLabels(labels, id)...)
		}
	}
}

// list sends how the last list of one kind went.
func (s *scrape) list(success, lastSuccess *Family, labels []string, l *poll.List) {
	if l.Tried {
		s.add(success, boolValue(l.Failure == nil), labels...)
	}
	s.addTime(lastSuccess, l.SucceededAt, labels...)
}

func (s *scrape) gateway(labels []string, g *poll.Gateway) {
	s.add(metricGatewayInfo, 1, appendLabels(labels, g.Name)...)
	s.add(metricGatewayStatus, 1, appendLabels(labels, string(g.Status))...)
	s.addTime(metricGatewayHeartbeat, g.LastHeartbeat, labels...)
}

func (s *scrape) plan(labels []string, p *poll.Plan) {
	s.planInfo(labels, p.Info)
	s.add(metricPolls, float64(p.Poll.Polls), labels...)
	s.add(metricPollFailures, float64(p.Poll.Failures), labels...)
	s.add(metricFinished, float64(p.Finished), labels...)
	s.add(metricFailed, float64(p.Failed), labels...)
	s.addTime(metricPollLastSuccess, p.Poll.SucceededAt, labels...)
	s.addTime(metricPollLastFullListing, p.Poll.FullListingAt, labels...)
	if p.Poll.Ended() {
		s.add(metricPollSuccess, boolValue(p.Poll.Failure == nil), labels...)
		s.add(metricPollDuration, p.Poll.Duration.Seconds(), labels...)
		s.add(metricPollRequests, float64(p.Poll.Requests), labels...)
	}
	if p.Listing != nil {
		s.listing(labels, p.Listing)
	}
}

// planInfo sends what is known of a plan besides its downloads.
func (s *scrape) planInfo(labels []string, info *poll.PlanInfo) {
	s.add(metricPlanInfo, 1, appendLabels(labels, info.Name, info.DatabaseType, info.ResourceGroupID)...)
	if info.MaxSuccessAge > 0 {
		s.add(metricMaxSuccessAge, info.MaxSuccessAge.Seconds(), labels...)
	}
	if info.Status != "" {
		s.add(metricPlanStatus, 1, appendLabels(labels, info.Status)...)
	}
	if info.AutoDownload != nil {
		s.add(metricAutoDownload, boolValue(*info.AutoDownload), labels...)
	}
	s.addTime(metricPlanExpiry, info.Expires, labels...)
}

// listing sends what a plan's listing sums up to.
func (s *scrape) listing(labels []string, l *download.Listing) {
	for status := range download.NumStatuses {
		withStatus := appendLabels(labels, status.String())
		s.add(metricTasks, float64(l.Counts[status]), withStatus...)
		s.add(metricDataBytes, float64(l.Bytes[status]), withStatus...)
		s.addTime(metricLastFailure, l.LastFailure[status], withStatus...)
		s.addTime(metricOldestCreated, l.OldestCreated[status], withStatus...)
	}
	if last := l.LastSuccess; last != nil {
		s.addTime(metricLastSuccess, last.Finished, labels...)
		s.add(metricLastSuccessBytes, float64(last.DataBytes), labels...)
		if d, ok := last.Duration(); ok {
			s.add(metricLastSuccessDuration, d.Seconds(), labels...)
		}
	}
	if complete, known := l.Complete(); known {
		s.add(metricListingComplete, boolValue(complete), labels...)
	}
	for reason, rows := range l.Invalid {
		s.add(metricInvalidTasks, float64(rows), appendLabels(labels, download.InvalidReason(reason).String())...)
	}
}

// tasks sends the series of single tasks, within the limits on their number.
func (s *scrape) tasks() {
	limits := s.snapshot.Config.TaskSeries
	if !limits.Enabled {
		return
	}
	var (
		listings []*download.Listing
		labels   [][]string
	)
	for _, t := range s.snapshot.Targets {
		for _, p := range t.Plans {
			if p.Listing != nil {
				listings = append(listings, p.Listing)
				labels = append(labels, []string{t.ID.Account, t.ID.RegionID, p.ID})
			}
		}
	}
	for i, shown := range download.Share(listings, limits.MaxPerPlan, limits.MaxTotal) {
		l := listings[i]
		for t := range shown {
			s.task(labels[i], &l.Series[t])
		}
		s.add(metricTasksHidden, float64(l.Hidden.Age), appendLabels(labels[i], "age")...)
		s.add(metricTasksHidden, float64(l.Hidden.Limit+len(l.Series)-shown), appendLabels(labels[i], "limit")...)
	}
}

func (s *scrape) task(plan []string, t *download.Task) {
	labels := appendLabels(plan, t.ID)
	s.add(metricTaskInfo, 1, appendLabels(labels, t.Name, t.BackupSetID, t.BackupType.String(), t.DBType, t.DataFormat, t.Way, t.TargetType, t.GatewayID)...)
	s.add(metricTaskStatus, 1, appendLabels(labels, t.Status.String())...)
	s.add(metricTaskBytes, float64(t.DataBytes), labels...)
	s.addTime(metricTaskCreated, t.Created, labels...)
	if t.Status.Terminal() {
		s.addTime(metricTaskFinished, t.Finished, labels...)
	}
	if d, ok := t.Duration(); ok {
		s.add(metricTaskDuration, d.Seconds(), labels...)
	}
}

// exporter sends what is known of the exporter itself.
func (s *scrape) exporter(reload config.Outcome) {
	s.add(metricPollInterval, time.Duration(s.snapshot.Config.IdlePollInterval).Seconds())
	s.add(metricReloadSuccess, boolValue(reload.OK))
	s.addTime(metricReloadTime, reload.At)
}
