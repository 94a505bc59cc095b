package collector_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"aliyun_dbs_exporter/collector"
	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// The accounts and regions of a large organisation; four regions share the endpoint.
var (
	manyAccounts = []string{"retail", "finance", "games"}
	manyRegions  = []string{"cn-hangzhou", "cn-shanghai", "cn-beijing", "cn-shenzhen"}
)

// manyPlans returns an endpoint with 300 plans, and the configuration that discovers them.
func manyPlans() (*dbssim.Simulator, string) {
	var accounts []dbssim.Account
	config := "poll_interval: 10s\ntargets:\n"
	for _, name := range manyAccounts {
		a := dbssim.Account{AccessKeyID: name, AccessKeySecret: name + "-secret"}
		for i := range 100 {
			region := manyRegions[i%len(manyRegions)]
			a.Plans = append(a.Plans, dbssim.Plan{
				ID: fmt.Sprintf("dbs%s%03d", name, i), Name: fmt.Sprintf("plan %d", i), Region: region, AutoDownload: i%2 == 0,
				Tasks: dbssim.Fixed(tasks(fmt.Sprint("t", i), i%7)...),
			})
		}
		accounts = append(accounts, a)
		for _, region := range manyRegions {
			config += fmt.Sprintf(`  - account: %s
    region_id: %s
    endpoint: http://127.0.0.1:1
    requests_per_second: 100
    credentials: {type: access_key, access_key_id: %[1]s, access_key_secret: %[1]s-secret}
    discovery: {enabled: true, interval: 1m}
`, name, region)
		}
	}
	return dbssim.New(nil, accounts...), config
}

// processOf returns another process that polls the bench's endpoint.
func (b *bench) processOf(config string, shard collector.Shard) *bench {
	b.Helper()
	other := *b
	other.log = new(lockedBuffer)
	c, err := collector.New(parse(b, config), collector.Options{Dial: b.network.dial, Shard: shard}, log.NewLogfmtLogger(other.log))
	if err != nil {
		b.Fatal(err)
	}
	other.collector, other.registry = c, prometheus.NewPedanticRegistry()
	other.registry.MustRegister(c)
	return &other
}

// planSeries returns what a process exports about plans; polls differ in the time that they take.
func (b *bench) planSeries() map[string]string {
	samples := b.samples()
	maps.DeleteFunc(samples, func(name, _ string) bool {
		return !strings.Contains(name, "plan_id=") || strings.HasPrefix(name, "poll_duration_seconds{") || strings.HasPrefix(name, "poll_last_success_timestamp_seconds{")
	})
	return samples
}

// Three shards export what one process does, nothing twice; a plan that is deleted goes within a discovery interval.
func TestShardsTogetherAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, config := manyPlans()
		one := newBench(t, sim, config)
		defer one.run()()
		shards := make([]*bench, 3)
		for i := range shards {
			shards[i] = one.processOf(config, collector.Shard{Count: 3, Index: i})
			defer shards[i].run()()
		}
		compare := func(plans int) {
			t.Helper()
			if got := one.collector.Plans(); got != plans {
				t.Errorf("one process polls %d plans, want %d", got, plans)
			}
			all, sum := make(map[string]string), 0
			for i, s := range shards {
				if n := s.collector.Plans(); n < plans/4 || n > plans/2 {
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
		compare(300)
		sim.RemovePlan("dbsfinance017")
		one.pass(time.Minute)
		compare(299)
	})
}

// One more shard takes its part from all others and moves nothing else.
func TestShardsGrow(t *testing.T) {
	var ids []string
	for i := range 600 {
		ids = append(ids, fmt.Sprintf("dbs%09d", i*7919))
	}
	config := parse(t, configText("", ids...))
	owner := func(count int) map[string]int {
		owners := make(map[string]int)
		for i := range count {
			c, err := collector.New(config, collector.Options{Shard: collector.Shard{Count: count, Index: i}}, log.NewNopLogger())
			if err != nil {
				t.Fatal(err)
			}
			registry := prometheus.NewPedanticRegistry()
			registry.MustRegister(c)
			families, err := registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range families {
				if f.GetName() != "aliyun_dbs_polls_total" {
					continue
				}
				for _, m := range f.GetMetric() {
					id := m.GetLabel()[slices.IndexFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetName() == "plan_id" })].GetValue()
					if other, twice := owners[id]; twice {
						t.Fatalf("%s belongs to shards %d and %d", id, other, i)
					}
					owners[id] = i
				}
			}
		}
		return owners
	}
	before := owner(1)
	for count := 2; count <= 8; count++ {
		now := owner(count)
		if len(now) != len(ids) {
			t.Fatalf("%d shards own %d plans", count, len(now))
		}
		moved := 0
		for id, i := range now {
			if i != before[id] {
				moved++
				if i != count-1 {
					t.Fatalf("%s moved from shard %d to %d, which is not the new one", id, before[id], i)
				}
			}
		}
		want := len(ids) / count
		if moved < want*2/3 || moved > want*4/3 {
			t.Errorf("from %d to %d shards %d of %d plans moved, want about %d", count-1, count, moved, len(ids), want)
		}
		before = now
	}
}

// A plan's shard depends on nothing but account, region and ID, now and in later versions: else an update of one of
// several processes would lose plans.
func TestShardsAreStable(t *testing.T) {
	ids := []string{"dbsa", "dbsb", "dbsc", "dbsd", "dbse", "dbsf", "dbsg", "dbsh", "dbsi"}
	for i, want := range []string{"bcfh", "aegi", "d"} {
		c, err := collector.New(parse(t, configText("", ids...)), collector.Options{Shard: collector.Shard{Count: 3, Index: i}}, log.NewNopLogger())
		if err != nil {
			t.Fatal(err)
		}
		b := &bench{T: t, collector: c, registry: prometheus.NewPedanticRegistry()}
		b.registry.MustRegister(c)
		var own []string
		for _, id := range ids {
			if _, ok := b.samples()[series("polls_total"+plan(id))]; ok {
				own = append(own, id[len(id)-1:])
			}
		}
		if got := strings.Join(own, ""); got != want {
			t.Errorf("shard %d of 3 polls %s, want %s", i, got, want)
		}
	}
}
