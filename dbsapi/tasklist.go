package dbsapi

import (
	"context"
	"errors"
	"iter"
)

// PageSizes are the page sizes that the API documents for download tasks, the
// largest first.
var PageSizes = [...]int{PageSize, 50, 30}

// TaskList reads a plan's download tasks: all of them, or single pages and tasks
// for a caller who knows the list from earlier. It is for one poll and one
// goroutine.
type TaskList struct {
	client *Client
	pace   Pace
	planID string
	// read is how many pages and tasks were read.
	read int
}

// TaskList returns the list of a plan's download tasks. It sends nothing.
func (c *Client) TaskList(planID string, pace Pace) *TaskList {
	return &TaskList{client: c, pace: pace, planID: planID}
}

// pager returns a pager of the plan's tasks that goes on counting pages.
func (l *TaskList) pager() *pager[DownloadTask] {
	return &pager[DownloadTask]{
		client: l.client, pace: l.pace, read: l.read,
		list: taskOperation(map[string]string{"BackupPlanId": l.planID}),
	}
}

// Pages lists all pages, as [Client.DownloadTasks] does.
func (l *TaskList) Pages(ctx context.Context) iter.Seq2[Page[DownloadTask], error] {
	return l.pager().all(ctx)
}

// Page reads the page of this number in a list of pages of size rows, which must
// be one of [PageSizes]. A page beyond the end of the list is no error: servers
// answer it without rows, or with those of another page. The total is that of the
// answer, -1 if it has none. Page 0 without rows is an error unless the list has
// none.
func (l *TaskList) Page(ctx context.Context, num, size int) (Page[DownloadTask], error) {
	p := l.pager()
	items, a, err := p.fetch(ctx, num, size)
	l.read = p.read
	if err != nil {
		return Page[DownloadTask]{}, err
	}
	return Page[DownloadTask]{
		Number: num, Requested: num, Items: items,
		TotalElements: a.totalElements, ServerTime: a.serverTime,
	}, nil
}

// Task reads a task by its ID. It is not found if the API says so, answers
// without it, or does not understand the request.
func (l *TaskList) Task(ctx context.Context, id string) (task DownloadTask, found bool, err error) {
	p := l.pager()
	p.list = taskOperation(map[string]string{"BackupSetDownloadTaskId": id})
	p.list.mayBeEmpty = true
	items, _, err := p.fetch(ctx, 0, PageSize)
	l.read = p.read
	if failure, ok := errors.AsType[*Error](err); ok {
		switch failure.Reason {
		case ReasonNotFound, ReasonInvalidRequest:
			return DownloadTask{}, false, nil
		}
	}
	if err != nil {
		return DownloadTask{}, false, err
	}
	for _, row := range items {
		if row.ID == id {
			return row, true, nil
		}
	}
	return DownloadTask{}, false, nil
}
