package main

import (
	"context"
	"fmt"
	"time"

	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// measurePlans prints what polls and a scrape cost by the number of plans.
func measurePlans(ctx context.Context, o *options) error {
	fmt.Printf("Every plan has %d tasks.\n\n", o.tasks)
	fmt.Println("| plans | first polls | requests per interval | CPU time per interval | resident memory | page | scrape |")
	fmt.Println("|---|---|---|---|---|---|---|")
	for _, n := range o.plans {
		var plans []*plan
		for i := range n {
			plans = append(plans, newPlan(i, dbssim.NewestFirst, o.tasks-o.tasks/1000, o.tasks/1000))
		}
		if err := measurePlansOnce(ctx, o, newEndpoint(plans...)); err != nil {
			return fmt.Errorf("%d plans: %w", n, err)
		}
	}
	return nil
}

// measurePlansOnce prints the row of one number of plans.
func measurePlansOnce(ctx context.Context, o *options, e *endpoint) error {
	const (
		// interval is long enough to poll all plans at 1,000 requests a second.
		interval = 10 * time.Second
		patience = 2 * time.Minute
	)
	defer e.Close()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p, err := o.start(ctx, config{
		global:   fmt.Sprintf("poll_interval: %v\n", interval),
		target:   "    requests_per_second: 1000\n    max_concurrent_requests: 16\n",
		endpoint: e.URL, plans: e.ids(),
	})
	if err != nil {
		return err
	}
	defer p.stop()
	if err := p.ready(ctx); err != nil {
		return err
	}
	firstPolls := time.Since(p.started)

	// The requests and the CPU time of three intervals. Only the two scrapes that read it are in it.
	page, _, err := p.scrape(ctx)
	if err != nil {
		return err
	}
	before, polls := page["process_cpu_seconds_total"], page.sum("aliyun_dbs_polls_total")
	_, requests := e.counts("")
	if err := wait(ctx, 3*interval); err != nil {
		return err
	}
	begin := time.Now()
	page, size, err := p.scrape(ctx)
	if err != nil {
		return err
	}
	took := time.Since(begin)
	_, all := e.counts("")
	polledOnce := (page.sum("aliyun_dbs_polls_total") - polls) / float64(len(e.plans))
	cpu := time.Duration((page["process_cpu_seconds_total"] - before) / polledOnce * float64(time.Second))
	fmt.Printf("| %d | %v | %.0f | %v | %.0f MB | %.1f MB | %v |\n", len(e.plans), firstPolls.Round(10*time.Millisecond),
		float64(all-requests)/polledOnce, cpu.Round(time.Millisecond),
		page["process_resident_memory_bytes"]/1e6, float64(size)/1e6, took.Round(time.Millisecond))
	return nil
}
