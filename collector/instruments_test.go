package collector_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aliyun_dbs_exporter/collector"
	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// A download that a poll saw finish while a reload removed its target makes no
// series, since nothing would delete it again.
func TestFinishedAfterTargetHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		instruments := collector.NewInstruments()
		hooks := instruments.Hooks()
		stays, goes := poll.TargetID{Account: "stays", RegionID: "cn-hangzhou"}, poll.TargetID{Account: "goes", RegionID: "cn-hangzhou"}
		hooks.Targets([]poll.TargetID{stays, goes})
		hooks.Finished(stays, download.BackupFull, time.Hour)
		hooks.Targets([]poll.TargetID{stays})
		hooks.Finished(goes, download.BackupFull, time.Hour)

		f := newFixture(t, dbssim.New(nil, account()), simtest.Plans("", "dbsa"))
		f.registry = prometheus.NewPedanticRegistry()
		f.registry.MustRegister(collector.New(f.poller.Snapshot, func() config.Outcome { return config.Outcome{} }, instruments))
		f.expect(map[string]string{
			`download_duration_seconds_count{account="stays",region_id="cn-hangzhou",backup_type="full"}`:        "1",
			`download_duration_seconds_count{account="stays",region_id="cn-hangzhou",backup_type="incremental"}`: "0",
		})
		if strings.Contains(f.page(), "goes") {
			t.Error("the target that has gone has a series")
		}
	})
}
