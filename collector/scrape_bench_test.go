package collector_test

import (
	"fmt"
	"io"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"aliyun_dbs_exporter/collector"
	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi/dbssim"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

// BenchmarkScrape measures a whole scrape, from collecting to text, of a process that polls that many plans with 100
// tasks each.
func BenchmarkScrape(b *testing.B) {
	for _, plans := range []int{10, 300, 5000} {
		b.Run(fmt.Sprintf("%d plans", plans), func(b *testing.B) {
			registry := polled(b, plans)
			var size int
			b.ReportAllocs()
			for b.Loop() {
				families, err := registry.Gather()
				if err != nil {
					b.Fatal(err)
				}
				size = 0
				for _, family := range families {
					n, err := expfmt.MetricFamilyToText(io.Discard, family)
					if err != nil {
						b.Fatal(err)
					}
					size += n
				}
			}
			b.ReportMetric(float64(size), "page-bytes")
		})
	}
}

// polled returns the registry of a collector that has polled all its plans once.
func polled(b *testing.B, n int) *prometheus.Registry {
	b.Helper()
	now := time.Now()
	list := tasks("a", 100)
	for i := range list {
		list[i].Created, list[i].Finished = now.Add(-time.Hour), now.Add(-time.Minute)
	}
	var (
		plans []dbssim.Plan
		ids   []string
	)
	for i := range n {
		id := fmt.Sprintf("dbs%06d", i)
		plans, ids = append(plans, dbssim.Plan{ID: id, Tasks: dbssim.Fixed(list...)}), append(ids, id)
	}
	server := httptest.NewServer(dbssim.New(nil, account(plans...)))
	b.Cleanup(server.Close)
	c := simtest.Plans("", ids...)
	c.Targets[0].Endpoint = server.URL
	parsed, err := config.Parse([]byte(c.String()), "bench.yml")
	if err != nil {
		b.Fatal(err)
	}
	poller := poll.New(poll.Options{}, log.NewNopLogger())
	if err := poller.Apply(parsed); err != nil {
		b.Fatal(err)
	}
	if err := poller.Once(b.Context()); err != nil {
		b.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	reload := func() config.Outcome { return config.Outcome{OK: true} }
	registry.MustRegister(collector.New(poller.Snapshot, reload, collector.NewInstruments()))
	return registry
}
