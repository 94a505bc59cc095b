package web_test

import (
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// The page says in words which gateway a plan's downloads wait for, and how the
// lists of gateways go.
func TestStatusOfGateways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shown *poll.Snapshot
		s := newSite(t, func() *poll.Snapshot { return shown })
		time.Sleep(uptime)
		var c simtest.Config
		for _, account := range []string{"pending", "successful", "stale", "failing", "failingstale", "neversuccessful", "none"} {
			c.Targets = append(c.Targets, simtest.Target{
				Account: account, Plans: []string{"dbsauto, name: auto"}, Gateways: []string{"enabled: true"},
			})
		}
		c.Targets[1].Plans = []string{
			"dbsonline, name: online", "dbsoffline, name: offline", "dbsstopped, name: stopped", "dbsupgrading, name: upgrading",
			"dbsunknown, name: unknown", "dbssilent, name: silent", "dbsmute, name: mute", "dbsnotlisted, name: not listed",
			"dbsmanual, name: manual", "dbsnogateway, name: no gateway",
		}
		shown = snapshot(t, c)
		gatewayStates(shown)
		s.golden("gateways")
	})
}

func gatewayStates(s *poll.Snapshot) {
	gateways := []poll.Gateway{
		{ID: "1", Name: "idc-online", Status: poll.GatewayOnline, LastHeartbeat: ago(150 * time.Second)},
		{ID: "2", Name: "idc-offline", Status: poll.GatewayOffline, LastHeartbeat: ago(20 * time.Minute)},
		{ID: "3", Name: "idc-stopped", Status: poll.GatewayStopped, LastHeartbeat: ago(26 * time.Hour)},
		{ID: "4", Status: poll.GatewayUpgrading, LastHeartbeat: ago(3 * time.Minute)},
		{ID: "5", Name: "idc-unknown", Status: poll.GatewayUnknown},
		{ID: "6", Name: "idc-silent", Status: poll.GatewayOnline, LastHeartbeat: ago(12*time.Minute + time.Second)},
		{ID: "7", Name: "idc-mute", Status: poll.GatewayOnline},
	}
	for i, list := range append(listOutcomes(s.At), poll.List{Tried: true, Fresh: true, SucceededAt: ago(time.Second), Due: s.At}) {
		s.Targets[i].Gateways = &poll.GatewayList{List: list}
		for j := range s.Targets[i].Plans {
			auto := true
			s.Targets[i].Plans[j].Info.DownloadGatewayID = "2"
			s.Targets[i].Plans[j].Info.AutoDownload = &auto
		}
	}
	s.Targets[1].Gateways.Rows, s.Targets[3].Gateways.Rows = gateways, gateways[:2]
	plans, manual := s.Targets[1].Plans, false
	for i, id := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "2", ""} {
		plans[i].Info.DownloadGatewayID = id
	}
	plans[8].Info.AutoDownload = &manual
}
