package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// measureOrders prints the requests per poll of plans with 10,000 ended and 5 open
// tasks, by the order of the list: of plans that do not change, and of plans where
// one task comes and one goes between two polls. An interval stands for a minute.
func measureOrders(ctx context.Context, o *options) error {
	const (
		ended, open = 10_000, 5
		// interval leaves the time to list all eight plans in full on one core.
		interval = 5 * time.Second
		// fullListings is 30 polls, as half an hour is of the default minute.
		fullListings = 30 * interval
	)
	watched := plansByOrder(ended, open)
	var plans []*plan
	for _, w := range watched {
		plans = append(plans, w.plan)
	}
	e := newEndpoint(plans...)
	defer e.Close()
	length := time.Duration(o.polls) * interval
	// The first listings take a second each.
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute+length)
	defer cancel()
	p, err := o.start(ctx, config{
		global:   fmt.Sprintf("poll_interval: %v\nfull_listing_interval: %v\n", interval, fullListings),
		target:   "    requests_per_second: 1000\n    max_concurrent_requests: 8\n",
		endpoint: e.URL, plans: e.ids(),
	})
	if err != nil {
		return err
	}
	defer p.stop()
	if err := p.firstPolls(ctx, len(plans)); err != nil {
		return err
	}
	if err := watch(ctx, p, e, watched, length); err != nil {
		return err
	}
	fmt.Printf("Every plan has %d ended and %d open tasks; full listings come every %v polls.\n\n", ended, open, int(fullListings/interval))
	fmt.Println("| order | a minute | requests per poll, mean | most, without full listings | polls with a full listing | exact | failed |")
	fmt.Println("|---|---|---|---|---|---|---|")
	for _, w := range watched {
		fmt.Println(w)
	}
	for _, w := range watched {
		if w.disagree > 0 {
			fmt.Printf("\nAfter %d polls of the plan %v, aliyun_dbs_poll_requests was not the number of requests that came.\n", w.disagree, w.order)
		}
	}
	return inexact(watched)
}

// inexact returns an error if polls of a plan showed other values than its list
// had. Without an order, a deletion may hide a new task until the next full
// listing.
func inexact(watched []*watchedPlan) error {
	var errs []error
	for _, w := range watched {
		if w.exact < w.seen && (!w.changes || w.order != dbssim.Shuffled) {
			errs = append(errs, fmt.Errorf("%d of %d polls of the plan %v showed other values than its list had", w.seen-w.exact, w.seen, w.order))
		}
	}
	return errors.Join(errs...)
}

// plansByOrder returns a plan of each order that stays and one that changes.
func plansByOrder(ended, open int) []*watchedPlan {
	var watched []*watchedPlan
	for _, changes := range []bool{false, true} {
		for _, order := range []dbssim.Order{dbssim.NewestFirst, dbssim.OldestFirst, dbssim.ModifiedFirst, dbssim.Shuffled} {
			p := newPlan(len(watched), order, ended, open)
			watched = append(watched, &watchedPlan{plan: p, order: order, changes: changes, truth: p.content()})
		}
	}
	return watched
}

// watch observes the polls of plans for a time.
func watch(ctx context.Context, p *process, e *endpoint, plans []*watchedPlan, length time.Duration) error {
	const sampling = 250 * time.Millisecond
	page, _, err := p.scrape(ctx)
	if err != nil {
		return err
	}
	for _, w := range plans {
		w.polls, _ = page.ofPlan("aliyun_dbs_polls_total", w.id, "")
	}
	for begin := time.Now(); time.Since(begin) < length; {
		page, _, err := p.scrape(ctx)
		if err != nil {
			return err
		}
		for _, w := range plans {
			w.observe(page, e)
		}
		if err := wait(ctx, sampling); err != nil {
			return err
		}
	}
	return nil
}

// watchedPlan is what was seen of a plan's polls.
type watchedPlan struct {
	*plan
	order dbssim.Order
	// changes is whether the list changes after each poll, truth what it holds.
	changes bool
	truth   content

	begun bool
	// polls and requests are the counts at the last observation, fullAt is when
	// the last full listing ended.
	polls, fullAt float64
	requests      int
	// The successful polls that were seen, those of them with a full listing, those
	// with exact values, those whose metric says other than what came, the
	// requests of all and the most of one without a full listing.
	seen, full, exact, disagree, total, most int
	// failed are the polls that failed.
	failed int
}

// observe counts the poll that has ended since the last observation, if one has,
// and changes the list for the next. The first that it sees only begins the count
// of requests. So does one of several that have ended: their requests cannot be
// told apart.
func (w *watchedPlan) observe(page samples, e *endpoint) {
	polls, _ := page.ofPlan("aliyun_dbs_polls_total", w.id, "")
	if polls == w.polls {
		return
	}
	sent, _ := e.counts(w.id)
	requests, one := sent-w.requests, polls == w.polls+1
	fullAt, _ := page.ofPlan("aliyun_dbs_poll_last_full_listing_timestamp_seconds", w.id, "")
	full := fullAt != w.fullAt
	w.polls, w.requests, w.fullAt = polls, sent, fullAt
	success, _ := page.ofPlan("aliyun_dbs_poll_success", w.id, "")
	switch {
	case !w.begun || !one:
	case success == 0:
		w.failed++
	default:
		w.count(page, requests, full)
	}
	w.begun = true
	if w.changes {
		w.step()
		w.truth = w.content()
	}
}

// count counts a successful poll of so many requests, which ended with a page;
// full: it listed everything.
func (w *watchedPlan) count(page samples, requests int, full bool) {
	w.seen++
	w.total += requests
	if full {
		w.full++
	} else {
		w.most = max(w.most, requests)
	}
	if page.content(w.id) == w.truth {
		w.exact++
	}
	if says, ok := page.ofPlan("aliyun_dbs_poll_requests", w.id, ""); ok && int(says) != requests {
		w.disagree++
	}
}

// String returns the plan's row of the table.
func (w *watchedPlan) String() string {
	changes, most := "nothing changes", "–"
	if w.changes {
		changes = "one comes, one goes"
	}
	if w.full < w.seen {
		most = fmt.Sprint(w.most)
	}
	return fmt.Sprintf("| %v | %s | %.1f | %s | %d of %d | %d of %d | %d |",
		w.order, changes, float64(w.total)/float64(max(w.seen, 1)), most, w.full, w.seen, w.exact, w.seen, w.failed)
}
