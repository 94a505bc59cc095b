package progress_test

import (
	"bytes"
	"testing"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/collector/progress"
	"aliyun_dbs_exporter/dbsapi"
)

// Elsewhere than on a terminal, each poll is a line. The total grows when discovery
// finds plans.
func TestLines(t *testing.T) {
	var out bytes.Buffer
	total := 1
	p := progress.New(&out, func() int { return total })
	id := poll.TargetID{Account: "acme", RegionID: "cn-hangzhou"}
	p.Polled(id, poll.Plan{ID: "dbsa", Listing: &download.Listing{Sums: download.Sums{Tasks: 3}}})
	total = 3
	p.Polled(id, poll.Plan{ID: "dbsb", Poll: poll.Poll{
		Failure: &poll.Failure{Reason: dbsapi.ReasonNotFound, Text: "not_found", Advice: "Check the plan."},
	}})
	p.Polled(id, poll.Plan{ID: "dbsc"})
	p.End()
	want := "[1/1] account acme, region cn-hangzhou, plan dbsa: 3 tasks\n" +
		"[2/3] account acme, region cn-hangzhou, plan dbsb: failed: not_found. Check the plan.\n" +
		"[3/3] account acme, region cn-hangzhou, plan dbsc: its listing is older than stale_after\n"
	if out.String() != want {
		t.Errorf("shown is\n%swant\n%s", out.String(), want)
	}
}
