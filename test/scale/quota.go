package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// measureQuota prints how far the default rate reaches: of 150 plans with 1,000
// tasks each, one of them open, one task comes and one goes in each plan and hour.
// Time runs faster by a factor, and the rate is higher by the same.
func measureQuota(ctx context.Context, o *options) error {
	const (
		number, tasks = 150, 1000
		rate          = 5
		// firstRound is how many minutes the first polls may take. Their 1,650
		// requests fill the rate for five and a half, and other polls come between.
		firstRound = 30
	)
	minute := time.Minute / time.Duration(o.speed)
	var plans []*plan
	for i := range number {
		plans = append(plans, newPlan(i, dbssim.NewestFirst, tasks-1, 1))
	}
	e := newEndpoint(plans...)
	defer e.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Duration(firstRound+o.polls)*minute)
	defer cancel()
	p, err := o.start(ctx, config{
		global:   fmt.Sprintf("poll_interval: %v\nfull_listing_interval: %v\n", minute, 30*minute),
		target:   fmt.Sprintf("    requests_per_second: %d\n", rate*o.speed),
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

	before, _, err := p.scrape(ctx)
	if err != nil {
		return err
	}
	begin, minutes := time.Now(), make([]int, o.polls)
	for n := range minutes {
		_, sent := e.counts("")
		if err := takeTurns(ctx, plans, n, begin.Add(time.Duration(n)*minute), minute); err != nil {
			return err
		}
		_, all := e.counts("")
		minutes[n] = all - sent
	}
	after, _, err := p.scrape(ctx)
	if err != nil {
		return err
	}
	polls := pollsBetween(before, after, e.ids())
	fmt.Printf("%d plans have %d tasks each, and %d requests a second are allowed. Time ran %d times faster.\n\n", number, tasks, rate, o.speed)
	fmt.Println("| first polls | requests a minute, mean | most | polls of a plan | polls skipped |")
	fmt.Println("|---|---|---|---|---|")
	fmt.Printf("| %.1f min | %.0f | %d | %v to %v in %d min | %.0f |\n", float64(round)/float64(minute), mean(minutes), slices.Max(minutes),
		slices.Min(polls), slices.Max(polls), o.polls, after.sum("aliyun_dbs_polls_skipped_total")-before.sum("aliyun_dbs_polls_skipped_total"))
	return nil
}

// pollsBetween returns how often each plan was polled between two scrapes.
func pollsBetween(before, after samples, ids []string) []float64 {
	var polls []float64
	for _, id := range ids {
		then, _ := before.ofPlan("aliyun_dbs_polls_total", id, "")
		now, _ := after.ofPlan("aliyun_dbs_polls_total", id, "")
		polls = append(polls, now-then)
	}
	return polls
}

// takeTurns changes the plans whose turn comes within the n-th minute, which begins
// at a time: each has one in an hour. It returns at the end of the minute.
func takeTurns(ctx context.Context, plans []*plan, n int, begin time.Time, minute time.Duration) error {
	const hour = 60
	turn := func(minute int) int { return int(math.Round(float64(minute) * float64(len(plans)) / hour)) }
	from, to := turn(n), turn(n+1)
	for i := from; i < to; i++ {
		at := begin.Add(time.Duration(i-from) * minute / time.Duration(to-from))
		if err := wait(ctx, time.Until(at)); err != nil {
			return err
		}
		plans[i%len(plans)].step()
	}
	return wait(ctx, time.Until(begin.Add(minute)))
}

func mean(numbers []int) float64 {
	sum := 0
	for _, n := range numbers {
		sum += n
	}
	return float64(sum) / float64(len(numbers))
}
