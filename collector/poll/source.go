package poll

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"aliyun_dbs_exporter/collector/schedule"
	"aliyun_dbs_exporter/dbsapi"
)

// source is where lists of one kind come from and where they go. It is the one way
// to keep a list fresh: in an interval and a time budget of its own, and so that
// its failures touch nothing else.
type source[T any] struct {
	// action is the API operation.
	action string
	// noun is what a row is, in errors.
	noun string
	// failed is the log line of a failed list; it names the consequence.
	failed string
	// interval is how often the list is read.
	interval time.Duration
	pages    func(context.Context, dbsapi.Pace) iter.Seq2[dbsapi.Page[T], error]
	id       func(T) string
	// usable reports whether an ID can be shown and asked for.
	usable func(id string) bool
	// keep returns what is kept of a row, given what is known of the same ID.
	keep func(row, known T) T
	// known are the rows of earlier lists.
	known map[string]T
	// withoutStatus reports whether a row lacks a status; nil means that none does.
	withoutStatus func(T) bool
	// tooMany is the failure of a list of more than maxRows rows.
	tooMany error
	// publish takes over what a list has found.
	publish func(listed[T])
}

// listed is what one list has read.
type listed[T any] struct {
	rows map[string]T
	// total is the API's number of rows, negative if there is none.
	total int64
	// withoutID counts rows without an ID, which cannot be identified. unusable
	// counts rows with an ID that cannot be asked for or shown, withoutStatus those
	// without a status.
	withoutID, unusable, withoutStatus int
	answered                           bool
	failure                            *Failure
	// tooLong reports whether the failure is that there are more than maxRows rows.
	tooLong bool
}

// job reads a target's list in its interval, and within a poll interval after a
// list that failed or lacks rows, unless it was too long.
func (s source[T]) job(t *target, known *list[T]) schedule.Job {
	every := s.interval
	if known.unsettled() {
		every = min(every, time.Duration(t.global.PollInterval))
	}
	// A list has many pages if there are thousands of rows, and it has an interval
	// of its own.
	timeout := max(time.Duration(t.global.PollTimeout), s.interval/2)
	return schedule.Job{
		Key:    known.job,
		Group:  t.id.key(),
		Action: s.action,
		List:   true,
		Every:  every,
		Limit:  timeout + runSlack,
		Run: func(ctx context.Context, turns *schedule.Turns) schedule.Outcome {
			return s.run(ctx, t.logger, pace(turns, dbsapi.NewBudget(timeout)))
		},
	}
}

func (s source[T]) run(ctx context.Context, logger log.Logger, pace dbsapi.Pace) schedule.Outcome {
	r, err := s.read(ctx, pace)
	if ctx.Err() != nil {
		return schedule.Outcome{} // the process or the target ends
	}
	r.tooLong = errors.Is(err, s.tooMany)
	if r.failure = newFailure(err); r.failure != nil {
		level.Warn(logger).Log("msg", s.failed, "reason", r.failure.Reason, "err", r.failure.Text, "advice", r.failure.Advice)
	}
	s.publish(r)
	return schedule.Outcome{Answered: r.answered, TimedOut: r.failure.timedOut()}
}

// errListIncomplete is the failure of a list that lacks rows.
var errListIncomplete = errors.New("list is incomplete")

// read reads all pages. With an error it returns the rows that came before it. The
// client accepts an empty list only if the API reports a total of zero.
func (s source[T]) read(ctx context.Context, pace dbsapi.Pace) (r listed[T], err error) {
	r.rows = make(map[string]T)
	for page, err := range s.pages(ctx, pace) {
		switch {
		case errors.Is(err, dbsapi.ErrIncomplete):
			return r, s.incomplete(r)
		case err != nil:
			return r, err
		}
		r.answered = true
		if page.Number == 0 { // also if the list changed while it was read
			clear(r.rows)
			r.withoutID, r.unusable, r.withoutStatus = 0, 0, 0
		}
		for _, row := range page.Items {
			if err := s.add(&r, row); err != nil {
				return r, err
			}
		}
		r.total = page.TotalElements
	}
	return r, s.check(r)
}

// add takes a row. The error is that there are too many.
func (s source[T]) add(r *listed[T], row T) error {
	id := s.id(row)
	switch _, again := r.rows[id]; {
	case id == "":
		r.withoutID++
	case !s.usable(id):
		r.unusable++
	case !again && len(r.rows) == maxRows:
		return s.tooMany
	default:
		if s.withoutStatus != nil && s.withoutStatus(row) {
			r.withoutStatus++
		}
		r.rows[id] = s.keep(row, s.known[id])
	}
	return nil
}

// check judges the whole list by the API's total.
func (s source[T]) check(r listed[T]) error {
	found := len(r.rows)
	switch {
	case r.withoutID > 0:
		return fmt.Errorf("%s %w: %d of its rows have no ID", s.noun, errListIncomplete, r.withoutID)
	case found == 0 && r.unusable > 0:
		return fmt.Errorf("%s %w: none of its %d %ss has a usable ID", s.noun, errListIncomplete, r.unusable, s.noun)
	case int64(found+r.unusable) < r.total:
		return s.incomplete(r)
	}
	return nil
}

// incomplete is the failure of a list that lacks rows of the API's total.
func (s source[T]) incomplete(r listed[T]) error {
	if r.total < 0 {
		return fmt.Errorf("%s %w: it has %d %ss, of which the API gives no total", s.noun, errListIncomplete, len(r.rows), s.noun)
	}
	return fmt.Errorf("%s %w: it has %d of %d %ss", s.noun, errListIncomplete, len(r.rows), r.total, s.noun)
}
