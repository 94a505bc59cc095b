package poll

import (
	"context"
	"errors"
	"iter"

	"aliyun_dbs_exporter/collector/schedule"
	"aliyun_dbs_exporter/dbsapi"
)

// errDeferred ends a first listing of many pages that gives way to shorter ones.
var errDeferred = errors.New("the listing gives way to shorter ones")

// taskList reads a plan's download tasks for one poll.
type taskList struct {
	ctx   context.Context // of the poll, which the list does not outlive
	list  *dbsapi.TaskList
	turns *schedule.Turns
	// requests counts those that were sent.
	requests int
	// answered reports whether the API gave a good answer.
	answered bool
}

func (t *target) taskList(ctx context.Context, planID string, turns *schedule.Turns, budget *dbsapi.Budget) *taskList {
	l := &taskList{ctx: ctx, turns: turns}
	pace := pace(turns, budget)
	pace.Sent = func() { l.requests++ }
	l.list = t.client.TaskList(planID, pace)
	return l
}

// Pages reads the whole list. A first page of many may be the last one for now.
func (l *taskList) Pages() iter.Seq2[dbsapi.Page[dbsapi.DownloadTask], error] {
	return func(yield func(dbsapi.Page[dbsapi.DownloadTask], error) bool) {
		for page, err := range l.list.Pages(l.ctx) {
			if err == nil {
				l.answered = true
				if page.Number == 0 && l.turns.Defer(requestsFor(int(page.TotalElements))) {
					err = errDeferred
				}
			}
			if !yield(page, err) || err != nil {
				return
			}
		}
	}
}

// Page reads one page.
func (l *taskList) Page(num, size int) (dbsapi.Page[dbsapi.DownloadTask], error) {
	page, err := l.list.Page(l.ctx, num, size)
	l.answered = l.answered || err == nil
	return page, err
}

// Task reads one task.
func (l *taskList) Task(id string) (dbsapi.DownloadTask, bool, error) {
	return l.list.Task(l.ctx, id)
}
