package download_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/collector/download"
)

// limits that cut, so that series depend on what was read when.
var fewSeries = download.Limits{CompletedWithin: 3 * time.Hour, MaxPerPlan: 8}

// polled is a plan that is polled, and beside it the truth: the same list read in
// one piece each time.
type polled struct {
	*model
	tracker  download.Tracker
	truth    download.Ends
	limits   download.Limits
	interval int // full listings are made in so many polls
	polls    int
	fulls    int
	sent     int
	// arrived and deleted are what had come and gone at the last full listing.
	arrived, deleted int
	// excused: a poll may have missed an end, or counted it late.
	excused bool
	// paired: since the last full listing began, tasks came and went between the
	// requests of one poll, which totals need not show.
	paired bool
	// moving: the list changes during polls. deletedBefore is what had gone when
	// the last full listing began.
	moving        bool
	deletedBefore int
	// noOrder: the last full listing found no order.
	noOrder bool
	// restarting: settled tasks change, so only full listings are right.
	restarting bool
}

func (p *polled) poll() (download.Outcome, error) {
	p.requests = 0
	arrived, deleted := p.model.arrived, p.model.deleted
	out, err := p.tracker.Poll(download.Conditions{
		Now: p.now, Limits: p.limits, Full: p.polls%p.interval == 0,
	}, p.model)
	p.polls++
	p.sent += p.requests
	if out.Full {
		p.fulls++
		p.arrived, p.deleted = p.model.arrived, p.model.deleted
		p.paired, p.deletedBefore = false, deleted
		p.noOrder = out.Obstacle == download.NoOrder
	}
	p.paired = p.paired || p.model.arrived > arrived && p.model.deleted > deleted
	return out, err
}

// check polls and compares with the truth.
func (p *polled) check() error {
	b := download.NewBuilder(p.limits, p.now)
	rows := p.list()
	b.Add(rows)
	out, err := p.poll()
	if len(rows) == 0 && p.noTotal {
		if !errors.Is(err, download.ErrNoRows) {
			return fmt.Errorf("poll %d of an empty list without a total: %w", p.polls, err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	want, err := b.Listing(out.Listing.Total, out.Listing.Truncated)
	if err != nil {
		return err
	}
	ends := p.truth.Update(b, p.now)
	want.Unknown = out.Listing.Unknown // those of tasks that are gone stay
	if (p.restarting || p.paired) && !out.Full {
		return nil
	}
	if p.capped > 0 && len(rows) >= p.capped && !out.Full {
		p.excused = true // the list has just reached the bound; the next full listing shows that
		return nil
	}
	if p.hidden(out) {
		p.excused = true
		return nil
	}
	if !want.Equal(out.Listing) {
		return fmt.Errorf("poll %d: full %v %q: %s", p.polls, out.Full, out.Obstacle, cmp.Diff(want, out.Listing))
	}
	if !p.excused && (ends.Finished != out.Ends.Finished || ends.Failed != out.Ends.Failed) {
		return fmt.Errorf("poll %d: full %v: ends %+v, want %+v", p.polls, out.Full, out.Ends, ends)
	}
	return nil
}

// hidden reports whether totals need not show what has changed since the last full
// listing: tasks came and went between the requests of one poll, or a new one may
// hide a deletion, because nothing tells where it appears.
func (p *polled) hidden(out download.Outcome) bool {
	noOrder := p.order == shuffled || p.noOrder || p.absent > 0
	pair := noOrder && p.model.arrived > p.arrived && p.model.deleted > p.deleted
	// A task that is modified while the list is read is read twice or not at all,
	// and a deletion makes up for that.
	byModified := p.order == byModification || p.order == byModificationLast
	moved := p.moving && byModified && p.model.deleted > p.deletedBefore
	return !out.Full && (p.paired || pair || moved)
}
