package collector_test

import (
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// At the default interval there is a list of gateways a minute, and throttling of
// these delays no poll.
func TestGatewayListsAreCheap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, gatewaySim(simGateway(160813, "idc-1", "ONLINE")), withGateways())
		f.run()
		lists := func() (n int) {
			for _, r := range f.sim.Requests() {
				if r.Action == dbsapi.ActionBackupGateways {
					n++
				}
			}
			return n
		}
		f.pass(time.Hour)
		if n := lists(); n < 60 || n > 61 {
			t.Errorf("%d lists of gateways in an hour", n)
		}
		polls := f.plan("dbsa").Poll.Polls
		f.sim.SetFault(dbsapi.ActionBackupGateways, dbssim.Throttled(4*time.Minute))
		for range 60 {
			f.pass(time.Minute)
			if late := f.plan("dbsa").Poll.Late; late > 0 {
				t.Fatalf("the plan is late by %v", late)
			}
		}
		if n := f.plan("dbsa").Poll.Polls - polls; n != 60 {
			t.Errorf("%d polls in an hour of throttled lists", n)
		}
		f.expect(map[string]string{"gateway_list_success" + target: "0", "polls_skipped_total" + target: "0"})
	})
}

// After a failure the list is tried again with the next poll, and after a success
// in its own interval.
func TestGatewayListIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := gatewaySim(simGateway(160813, "idc-1", "ONLINE"))
		sim.SetFault(dbsapi.ActionBackupGateways, dbssim.Failing(403, "Forbidden.RAM"))
		f := newFixture(t, sim, withGateways("interval: 30m"))
		f.run()
		f.expect(map[string]string{"gateway_list_success" + target: "0"})
		sim.ClearFault(dbsapi.ActionBackupGateways)
		f.pass(90 * time.Second)
		f.expect(map[string]string{"gateway_list_success" + target: "1"})
		f.pass(2 * time.Minute) // the due time that followed the failure stands
		succeeded := f.gatewayList().SucceededAt
		if next := f.gatewayList().Due.Sub(succeeded); next < 15*time.Minute || next > 45*time.Minute {
			t.Errorf("the next list is due after %v", next)
		}
	})
}

// The request budget has the lists of gateways in it.
func TestBudgetOfGatewayLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := account(simPlan("dbsa", "orders"))
		for i := range 150 { // two pages
			a.Gateways = append(a.Gateways, simGateway(int64(i+1), "", "ONLINE"))
		}
		f := newFixture(t, dbssim.New(nil, a), simtest.Config{Targets: []simtest.Target{{
			Plans: []string{"dbsa"}, Gateways: []string{"enabled: true", "interval: 20s"},
		}}})
		f.run()
		if got, want := f.poller.Snapshot().Targets[0].Budget.Needed, 1+3*2; got != want {
			t.Errorf("%d requests are needed, want %d", got, want)
		}
	})
}

// A failed list of gateways does not keep the exporter from being ready.
func TestGatewaysAndReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := gatewaySim()
		sim.SetFault(dbsapi.ActionBackupGateways, dbssim.Fault{Delay: time.Minute})
		f := newFixture(t, sim, withGateways())
		f.run()
		if err := f.poller.Ready(); err != nil {
			t.Error(err)
		}
	})
}

// The list of plans also says their resource group and their expiry.
func TestPlanFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		expires := time.Date(2000, 1, 8, 0, 0, 0, 0, time.UTC)
		sim := dbssim.New(nil, account(
			simPlan("dbsa", "a", func(p *dbssim.Plan) { p.ResourceGroupID, p.Expires = "rg-aekzecovzti", expires }),
			simPlan("dbsb", "b"),
		))
		f := newFixture(t, sim, discovering(nil))
		f.run()
		f.expect(map[string]string{
			"plan_info" + planWith("dbsa", `plan_name="a",database_type="MySQL",resource_group_id="rg-aekzecovzti"`): "1",
			"plan_info" + planWith("dbsb", `plan_name="b",database_type="MySQL",resource_group_id=""`):               "1",
			"plan_expiry_timestamp_seconds" + plan("dbsa"):                                                           at(expires),
			"plan_expiry_timestamp_seconds" + plan("dbsb"):                                                           "absent",
		})
		// A list that is too old no longer says when a plan expires: it may have been renewed.
		f.sim.SetFault(dbsapi.ActionBackupPlans, dbssim.Failing(500, "InternalError"))
		f.pass(51 * time.Minute)
		f.expect(map[string]string{
			"plan_info" + planWith("dbsa", `plan_name="a",database_type="MySQL",resource_group_id="rg-aekzecovzti"`): "1",
			"plan_expiry_timestamp_seconds" + plan("dbsa"):                                                           "absent",
		})
	})
}

// A poll of every plan once lists the gateways too, and says if that failed.
func TestOnceListsGateways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := gatewaySim(simGateway(160813, "idc-1", "ONLINE"))
		f := newFixture(t, sim, withGateways())
		if err := f.poller.Once(t.Context()); err != nil {
			t.Error(err)
		}
		f.pass(time.Hour) // nothing gets stale
		f.expect(map[string]string{"gateway_status" + gateway("160813", `status="online"`): "1"})
		sim.SetFault(dbsapi.ActionBackupGateways, dbssim.Failing(403, "Forbidden.RAM"))
		f.restart(withGateways(), poll.Shard{})
		const want = "list backup gateways: 1 of 1 lists failed"
		if err := f.poller.Once(t.Context()); err == nil || err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	})
}
