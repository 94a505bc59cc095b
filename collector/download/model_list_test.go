package download_test

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"aliyun_dbs_exporter/dbsapi"
)

// list returns the rows of the whole list.
func (m *model) list() []dbsapi.DownloadTask {
	if m.rows == nil {
		m.rows = m.sorted()
	}
	return m.rows
}

func (m *model) sorted() []dbsapi.DownloadTask {
	tasks := slices.Clone(m.tasks)
	newest := func(x, y *modelTask) int {
		return cmp.Or(y.Created.Compare(x.Created), cmp.Compare(y.number, x.number))
	}
	modified := func(x, y *modelTask) int {
		return cmp.Or(y.modified.Compare(x.modified), cmp.Compare(y.number, x.number))
	}
	switch m.order {
	case newestFirst:
		slices.SortFunc(tasks, newest)
	case oldestFirst:
		slices.SortFunc(tasks, func(x, y *modelTask) int { return newest(y, x) })
	case byModification:
		slices.SortFunc(tasks, modified)
	case byModificationLast:
		slices.SortFunc(tasks, func(x, y *modelTask) int { return modified(y, x) })
	case shuffled:
		slices.SortFunc(tasks, func(x, y *modelTask) int { return cmp.Compare(x.key, y.key) })
	}
	rows := make([]dbsapi.DownloadTask, 0, len(tasks)+m.repeated+m.withoutID)
	for i, t := range tasks {
		rows = append(rows, t.DownloadTask)
		if t.twice {
			rows = append(rows, t.DownloadTask)
		}
		if i < m.withoutID {
			rows = append(rows, dbsapi.DownloadTask{Status: "finish", Created: ago(1001 * time.Hour), Finished: ago(1000 * time.Hour), DataBytes: 7})
		}
	}
	return rows
}

// Page reads a page as the client does.
func (m *model) Page(num, size int) (dbsapi.Page[dbsapi.DownloadTask], error) {
	m.request()
	if !slices.Contains(dbsapi.PageSizes[:], size) {
		return dbsapi.Page[dbsapi.DownloadTask]{}, fmt.Errorf("the API has no pages of %d rows", size)
	}
	if m.ownSize {
		size = m.size
	}
	return m.page(num, min(size, m.size)), nil
}

// Task reads a task by its ID.
func (m *model) Task(id string) (dbsapi.DownloadTask, bool, error) {
	m.request()
	if m.one(m.lookups) {
		return dbsapi.DownloadTask{}, false, nil
	}
	for _, t := range m.tasks {
		if t.ID == id {
			return t.DownloadTask, true, nil
		}
	}
	return dbsapi.DownloadTask{}, false, nil
}

func (m *model) request() {
	if m.requests > 0 && m.between != nil {
		m.between()
	}
	m.requests++
}

// page answers a request.
func (m *model) page(num, size int) dbsapi.Page[dbsapi.DownloadTask] {
	p := dbsapi.Page[dbsapi.DownloadTask]{Requested: num, TotalElements: -1, ServerTime: m.now}
	rows := m.list()
	if !m.noTotal {
		p.TotalElements = int64(max(0, len(rows)+m.lie))
		if len(rows) == 0 {
			p.TotalElements = 0
		}
		if m.capped > 0 {
			p.TotalElements = min(p.TotalElements, int64(m.capped))
		}
	}
	from := max(0, num-m.base) * size
	switch {
	case from < len(rows) || len(rows) == 0:
	case m.beyond == emptyZero:
		p.TotalElements = min(p.TotalElements, 0)
	case m.beyond == lastAgain:
		from = (len(rows) - 1) / size * size
	case m.beyond == firstAgain:
		from = 0
	}
	p.Items = rows[min(from, len(rows)):min(from+size, len(rows))]
	return p
}

// errChanged ends one reading of a list that changes meanwhile.
var errChanged = errors.New("the list changed")

// Pages reads the whole list, again if it changes meanwhile, at most three times.
func (m *model) Pages() iter.Seq2[dbsapi.Page[dbsapi.DownloadTask], error] {
	return func(yield func(dbsapi.Page[dbsapi.DownloadTask], error) bool) {
		err := errChanged
		for n := 1; errors.Is(err, errChanged); n++ {
			err = m.read(n == 3, yield)
		}
		if err != nil {
			yield(dbsapi.Page[dbsapi.DownloadTask]{}, err)
		}
	}
}

// read reads the list once. A page that repeats the first one or the one before
// lies beyond the end, or is the first one of a list that is counted from 1.
func (m *model) read(final bool, yield func(dbsapi.Page[dbsapi.DownloadTask], error) bool) error {
	var (
		start   []dbsapi.DownloadTask
		before  []dbsapi.DownloadTask
		number  int
		rows    int64
		total   int64 = -1
		changed bool
	)
	for num := 0; ; num++ {
		m.request()
		p := m.page(num, m.size)
		if sameIDs(p.Items, before) || sameIDs(p.Items, start) {
			if num == 1 {
				continue
			}
			p.Items = nil
		}
		if before = p.Items; num == 0 {
			start = p.Items
		}
		rows += int64(len(p.Items))
		if len(p.Items) == 0 && num > 0 {
			p.TotalElements = max(total, p.TotalElements)
		}
		if total >= 0 && p.TotalElements != total {
			if changed = true; !final {
				return errChanged
			}
		}
		total = p.TotalElements
		p.Number = number
		number++
		if p.TotalElements < rows {
			p.TotalElements = -1
		}
		if len(p.Items) > 0 || num == 0 {
			yield(p, nil)
		}
		if len(p.Items) == 0 || len(p.Items) < m.size && (total <= rows) {
			break
		}
	}
	switch {
	case changed:
		return dbsapi.ErrChanging
	case rows < total:
		return dbsapi.ErrIncomplete
	}
	return nil
}

func sameIDs(a, b []dbsapi.DownloadTask) bool {
	return len(a) > 0 && slices.EqualFunc(a, b, func(x, y dbsapi.DownloadTask) bool { return x.ID == y.ID })
}
