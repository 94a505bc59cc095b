package collector_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// The accounts and regions of a large organisation; four regions share the endpoint.
var (
	manyAccounts = []string{"retail", "finance", "games"}
	manyRegions  = []string{"cn-hangzhou", "cn-shanghai", "cn-beijing", "cn-shenzhen"}
)

// manyPlans returns an endpoint with 120 plans, and the configuration that
// discovers them.
func manyPlans() (*dbssim.Simulator, simtest.Config) {
	var accounts []dbssim.Account
	c := simtest.Config{Top: "poll_interval: 10s"}
	for _, name := range manyAccounts {
		a := dbssim.Account{AccessKeyID: name, AccessKeySecret: name + "-secret", SecurityToken: name + "-token"}
		for i := range 40 {
			region := manyRegions[i%len(manyRegions)]
			a.Plans = append(a.Plans, dbssim.Plan{
				ID: fmt.Sprintf("dbs%s%03d", name, i), Name: fmt.Sprintf("plan %d", i), Region: region, AutoDownload: i%2 == 0,
				Tasks: dbssim.Fixed(tasks(fmt.Sprint("t", i), i%7)...),
			})
		}
		accounts = append(accounts, a)
		for _, region := range manyRegions {
			c.Targets = append(c.Targets, simtest.Target{
				Account: name, RegionID: region, KeyID: name, KeySecret: name + "-secret", KeyToken: name + "-token",
				Rate: 100, Concurrency: 4, Discovery: []string{"enabled: true", "interval: 1m"},
			})
		}
	}
	return dbssim.New(nil, accounts...), c
}

// processOf returns another process that polls the fixture's endpoint.
func (f *fixture) processOf(c simtest.Config, shard poll.Shard) *fixture {
	f.Helper()
	other := *f
	other.log = new(lockedBuffer)
	other.restart(c, shard)
	return &other
}

// planSeries returns what a process exports about plans; polls begin at times of their own.
func (f *fixture) planSeries() map[string]string {
	samples := f.samples()
	maps.DeleteFunc(samples, func(name, _ string) bool {
		return !strings.Contains(name, "plan_id=") || strings.HasPrefix(name, "poll")
	})
	return samples
}

// Three shards export what one process does, nothing twice; a plan that is deleted goes within a discovery interval.
func TestShardsTogetherAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, config := manyPlans()
		one := newFixture(t, sim, config)
		one.run()
		shards := make([]*fixture, 3)
		for i := range shards {
			shards[i] = one.processOf(config, poll.Shard{Count: 3, Index: i})
			shards[i].run()
		}
		compare := func(plans int) {
			t.Helper()
			if got := one.poller.NumPlans(); got != plans {
				t.Errorf("one process polls %d plans, want %d", got, plans)
			}
			all, sum := make(map[string]string), 0
			for i, s := range shards {
				if n := s.poller.NumPlans(); n < plans/4 || n > plans/2 {
					t.Errorf("shard %d polls %d of %d plans", i, n, plans)
				}
				sum += len(s.planSeries())
				maps.Copy(all, s.planSeries())
			}
			if diff := cmp.Diff(one.planSeries(), all); diff != "" {
				t.Error(diff)
			}
			if sum != len(all) {
				t.Errorf("%d series are there twice", sum-len(all))
			}
		}
		one.pass(5 * time.Second)
		compare(120)
		sim.RemovePlan("dbsfinance017")
		one.pass(90 * time.Second) // the first interval of discovery is half to one and a half
		compare(119)
	})
}
