package main

import (
	"context"
	"fmt"
	"time"

	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// measureMemory prints the resident memory of an exporter with 1,000,000 listed
// tasks and the default task_series.
func measureMemory(ctx context.Context, o *options) error {
	const (
		number, tasks = 1000, 1000
		// settle is two intervals, and more than Go lets pass between collections.
		settle   = 130 * time.Second
		sampling = 15 * time.Second
		patience = 10 * time.Minute
	)
	var plans []*plan
	for i := range number {
		plans = append(plans, newPlan(i, dbssim.NewestFirst, tasks-1, 1))
	}
	e := newEndpoint(plans...)
	defer e.Close()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p, err := o.start(ctx, config{
		target:   "    requests_per_second: 1000\n    max_concurrent_requests: 16\n",
		endpoint: e.URL, plans: e.ids(),
	})
	if err != nil {
		return err
	}
	defer p.stop()
	if err := p.firstPolls(ctx, number); err != nil {
		return err
	}
	round := time.Since(p.started)
	var resident, most float64
	for begin := time.Now(); time.Since(begin) < settle; {
		if err := wait(ctx, sampling); err != nil {
			return err
		}
		page, _, err := p.scrape(ctx)
		if err != nil {
			return err
		}
		resident = page["process_resident_memory_bytes"]
		most = max(most, resident)
	}
	page, _, err := p.scrape(ctx)
	if err != nil {
		return err
	}
	fmt.Println("| tasks | first polls | resident memory after two minutes | most | page series of tasks |")
	fmt.Println("|---|---|---|---|---|")
	fmt.Printf("| %.0f | %v | %.0f MB | %.0f MB | %.0f |\n", page.sum("aliyun_dbs_download_tasks"), round.Round(100*time.Millisecond),
		resident/1e6, most/1e6, page.sum("aliyun_dbs_download_task_status"))
	return nil
}
