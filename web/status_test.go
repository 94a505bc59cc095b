package web_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// uptime is how long the process of a status has been running.
const uptime = 12*time.Minute + 30*time.Second

func ago(d time.Duration) time.Time { return time.Now().Add(-d) }

// polled makes the last poll of a plan a successful one.
func polled(p *poll.Plan, age time.Duration, l *download.Listing) {
	p.Listing = l
	p.Poll = poll.Poll{Polls: 12, EndedAt: ago(age), SucceededAt: ago(age), Duration: time.Second, Due: ago(age - time.Minute)}
}

// failed makes the last poll of a plan a failed one.
func failed(p *poll.Plan, f poll.Failure) {
	p.Poll.Polls, p.Poll.Failures, p.Poll.Failure = 12, 3, &f
	p.Poll.EndedAt, p.Poll.Due = ago(20*time.Second), ago(-40*time.Second)
}

// tasks returns a listing with one task in each of these statuses.
func tasks(statuses ...download.Status) *download.Listing {
	l := &download.Listing{Sums: download.Sums{Rows: len(statuses), Tasks: len(statuses), Total: int64(len(statuses))}}
	for _, status := range statuses {
		l.Counts[status]++
	}
	return l
}

// withSuccess adds when the last finished task of a listing ended.
func withSuccess(l *download.Listing, age time.Duration) *download.Listing {
	l.LastSuccess = &download.Task{ID: "a", Status: download.StatusFinish, Finished: ago(age)}
	return l
}

// withFailure adds when a task last failed.
func withFailure(l *download.Listing, status download.Status, age time.Duration) *download.Listing {
	l.LastFailure[status] = ago(age)
	return l
}

var forbidden = poll.Failure{
	Reason:     dbsapi.ReasonForbidden,
	Text:       "DescribeBackupSetDownloadTaskList: forbidden (HTTP 403, code Forbidden.RAM, request 4F1888AC)",
	Advice:     "Grant the RAM action.",
	Permission: "dbs:DescribeBackupSetDownloadTaskList",
}

func TestStatus(t *testing.T) {
	tests := []struct {
		name   string
		config simtest.Config
		// change makes the state before the first poll the one to show.
		change func(*poll.Snapshot)
	}{
		{"before the first poll", simtest.Plans("", "dbsa, name: orders"), func(*poll.Snapshot) {}},
		{"no plans", discovering("acme"), func(s *poll.Snapshot) {
			s.Targets[0].PlanList.List = poll.List{Tried: true, Fresh: true, SucceededAt: ago(time.Minute), Due: ago(-9 * time.Minute)}
		}},
		{"every state", everyStateConfig(), everyState},
		{"every reason", everyReasonConfig(), everyReason},
		{"schedule", simtest.Plans("", "dbsdue", "dbslate", "dbsnew", "dbsrunning", "dbsslow"), schedule},
		{"cost", simtest.Plans("", "dbsa", "dbsb", "dbsc", "dbsd", "dbse", "dbsf", "dbsg"), cost},
		{"discovery", discovering("pending", "successful", "stale", "failing", "failingstale", "neversuccessful"), discovery},
		{"two accounts", simtest.Config{Targets: []simtest.Target{
			{Account: "a", Plans: []string{"dbsa"}},
			{Account: "b", Plans: []string{"dbsb"}, Endpoint: "dbs-api.cn-hangzhou.aliyuncs.com"},
		}}, func(s *poll.Snapshot) {
			a, b := &s.Targets[0], &s.Targets[1]
			a.Budget = poll.Budget{Plans: 1, Needed: 61, Allowed: 60}
			b.Budget = poll.Budget{Plans: 301, Unlisted: 300, Needed: 60, Allowed: 60}
			a.CredentialsExpireAt = ago(-50 * time.Minute)
			b.CredentialsExpireAt = ago(time.Hour)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var shown *poll.Snapshot
				s := newSite(t, func() *poll.Snapshot { return shown })
				time.Sleep(uptime)
				shown = snapshot(t, test.config)
				test.change(shown)
				s.golden(test.name)
			})
		})
	}
}

// discovering returns a configuration of accounts without plans in the file.
func discovering(accounts ...string) (c simtest.Config) {
	for _, account := range accounts {
		c.Targets = append(c.Targets, simtest.Target{Account: account, Discovery: []string{"enabled: true"}})
	}
	return c
}

func everyStateConfig() simtest.Config {
	return simtest.Plans("stale_after: 10m",
		"dbsgood, name: good",
		"dbsempty",
		"dbsoverdue, name: overdue, max_success_age: 26h",
		"dbsnever, name: never, max_success_age: 26h",
		"dbsfailed, name: failed",
		"dbsprecheck, name: precheck",
		"dbscut, name: cut",
		"dbsuncounted, name: uncounted",
		"dbsgone, name: gone",
		"dbsold, name: old",
		"dbsdropped, name: dropped",
		"dbsstarved, name: starved",
		"dbsnew, name: new",
	)
}

func everyState(s *poll.Snapshot) {
	plan := make(map[string]*poll.Plan)
	for i := range s.Targets[0].Plans {
		p := &s.Targets[0].Plans[i]
		plan[p.ID] = p
	}
	all := tasks(download.StatusChecking, download.StatusInit, download.StatusCheckPass, download.StatusSchedule,
		download.StatusRunning, download.StatusPause, download.StatusStop, download.StatusFinish, download.StatusFinish, download.StatusUnknown)
	all = withFailure(withFailure(all, download.StatusStop, 5*24*time.Hour), download.StatusInit, 6*24*time.Hour)
	plan["dbsgood"].Info.DatabaseType = "MySQL"
	polled(plan["dbsgood"], 11*time.Second, withSuccess(all, 3*time.Hour+20*time.Minute))
	polled(plan["dbsempty"], 11*time.Second, tasks())
	polled(plan["dbsoverdue"], 11*time.Second, withSuccess(tasks(download.StatusFinish), 27*time.Hour))
	polled(plan["dbsnever"], 11*time.Second, tasks())
	polled(plan["dbsfailed"], 11*time.Second, withFailure(
		withSuccess(tasks(download.StatusStop, download.StatusFinish), 25*time.Hour), download.StatusStop, time.Minute))
	polled(plan["dbsprecheck"], 11*time.Second, withFailure(
		withFailure(tasks(download.StatusInit, download.StatusStop), download.StatusStop, time.Hour), download.StatusInit, time.Minute))
	cut := withSuccess(tasks(download.StatusFinish), time.Hour)
	cut.Total = 7
	polled(plan["dbscut"], 11*time.Second, cut)
	uncounted := withSuccess(tasks(download.StatusFinish), time.Hour)
	uncounted.Total = -1
	polled(plan["dbsuncounted"], 11*time.Second, uncounted)
	failed(plan["dbsgone"], poll.Failure{
		Reason: dbsapi.ReasonNotFound,
		Text:   "DescribeBackupSetDownloadTaskList: not_found (HTTP 400, code Param.NotFound, request 4F1888AC)",
		Advice: "Check that the backup plan still exists.",
	})
	polled(plan["dbsold"], 3*time.Minute, withSuccess(tasks(download.StatusFinish), time.Hour))
	failed(plan["dbsold"], forbidden)
	polled(plan["dbsdropped"], 11*time.Minute, nil)
	failed(plan["dbsdropped"], forbidden)
	polled(plan["dbsstarved"], 11*time.Minute, nil)
	plan["dbsstarved"].Poll.Late = 10 * time.Minute
	s.Targets[0].Budget = poll.Budget{Plans: 13, Unlisted: 2, Needed: 11, Allowed: 60_000}
}

// everyReasonConfig has a plan for each reason for which a poll can fail.
func everyReasonConfig() simtest.Config {
	var plans []string
	for _, reason := range dbsapi.Reasons {
		plans = append(plans, "dbs"+strings.ReplaceAll(string(reason), "_", ""))
	}
	return simtest.Plans("", plans...)
}

func everyReason(s *poll.Snapshot) {
	for i, reason := range dbsapi.Reasons {
		f := poll.Failure{Reason: reason, Text: "The text of " + string(reason) + ".", Advice: "The advice for " + string(reason) + "."}
		if reason == dbsapi.ReasonForbidden {
			f.Permission = "dbs:DescribeBackupSetDownloadTaskList"
		}
		failed(&s.Targets[0].Plans[i], f)
	}
}

// schedule has a plan for each way in which polls keep to the schedule.
func schedule(s *poll.Snapshot) {
	plans := s.Targets[0].Plans
	for i := range plans {
		polled(&plans[i], 11*time.Second, tasks())
	}
	plans[0].Poll.Due = ago(time.Second)
	plans[1].Poll.Due, plans[1].Poll.Late = ago(95*time.Second), 95*time.Second
	plans[2].Poll, plans[2].Listing = poll.Poll{Due: ago(2 * time.Minute), Late: 2 * time.Minute}, nil
	plans[3].Poll.Running = true
	plans[4].Poll.Slow = true
	s.Targets[0].Skipped = 12
	s.Targets[0].Budget = poll.Budget{Plans: 5, Unlisted: 1, Needed: 4, Allowed: 60_000}
	s.Shard = poll.Shard{Index: 1, Count: 3}
}

// cost has a plan for each reason for which polls cost what they do.
func cost(s *poll.Snapshot) {
	for i, obstacle := range []download.Obstacle{
		download.NoObstacle, download.OnePage, download.NoOrder, download.NoTotal, download.UnevenPages, download.Unsettled, download.Unsure,
	} {
		p := &s.Targets[0].Plans[i]
		polled(p, 11*time.Second, tasks())
		p.Poll.Requests, p.Poll.Obstacle, p.Poll.Idle = 1+i, obstacle, i < 2
		p.Poll.FullListingAt = ago(time.Duration(i) * time.Minute)
	}
}

func discovery(s *poll.Snapshot) {
	for i, list := range listOutcomes(s.At) {
		wanted := []int{0, 1, 1, 2, 2, 0}[i]
		s.Targets[i].PlanList = &poll.PlanList{List: list, Wanted: wanted}
		for n := range wanted {
			s.Targets[i].Plans = append(s.Targets[i].Plans, poll.Plan{ID: fmt.Sprintf("dbs%d%d", i, n), Info: &poll.PlanInfo{Discovered: true}})
		}
	}
}

// listOutcomes are those that lists of one kind can have, in the order of the
// accounts in the tests about them.
func listOutcomes(now time.Time) []poll.List {
	return []poll.List{
		{Due: now},
		{Tried: true, Fresh: true, SucceededAt: ago(2 * time.Minute), Due: ago(-8 * time.Minute)},
		{Tried: true, SucceededAt: ago(51 * time.Minute), Due: ago(41 * time.Minute)},
		{Tried: true, Fresh: true, SucceededAt: ago(12 * time.Minute), Due: ago(-time.Minute), Failure: &forbidden},
		{Tried: true, SucceededAt: ago(52 * time.Minute), Due: ago(-time.Minute), Failure: &forbidden},
		{Tried: true, Due: ago(-time.Minute), Failure: &forbidden},
	}
}

// The last attempt to load the configuration failed.
func TestStatusOfReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := onePlan(t)
		time.Sleep(uptime)
		s.file = "targets:\n  - acount: " + simtest.KeySecret + "\n"
		if err := s.options.Reload.Reload(); err == nil {
			t.Fatal("the file was loaded")
		}
		s.golden("reload failed")
	})
}

func TestLegend(t *testing.T) {
	_, legend, _ := strings.Cut(text(onePlan(t).get("/")), "\nLegend\n")
	simtest.Golden(t, "legend.txt", legend)
}
