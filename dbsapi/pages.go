package dbsapi

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
)

const (
	// pageSize is the largest that both list operations accept: fewer requests against a shared quota.
	pageSize = 100
	// maxPages ends a list that never ends: 100,000 rows, far over what a plan keeps.
	maxPages = 1000
)

// ErrIncomplete is the last word of a listing that had to end before the API's own end: the server repeats pages, or
// the list exceeds the cap on pages. The pages before it are good.
var ErrIncomplete = errors.New("the listing ended before the end of the list")

// Page is one page of a listing.
type Page[T any] struct {
	// Items are the rows in the order of the API.
	Items []T
	// TotalElements is the number of rows that the API says the whole list has, -1 where it does not say.
	TotalElements int64
}

// listing describes a paged operation.
type listing[T any] struct {
	action   string
	params   map[string]string
	listName string
	field    func(row *T, d *decoder, name string) (known bool, err error)
	id       func(T) string
}

// failed is a listing that ends with err before its first request.
func failed[T any](err error) iter.Seq2[Page[T], error] {
	return func(yield func(Page[T], error) bool) { yield(Page[T]{}, err) }
}

// pages walks a list from PageNum 0. It ends at an empty page, a short page, or the last of TotalPages.
//
// Pages are numbered from 0 (API page, and the sample with PageNum 0 of TotalPages 1 that holds a row). A server that
// counts from 1 answers pages 0 and 1 alike: the repetition is dropped, and every later page moves by one.
func pages[T any](ctx context.Context, c *Client, l listing[T]) iter.Seq2[Page[T], error] {
	return func(yield func(Page[T], error) bool) {
		var (
			previous []T
			seen     int64
			shift    int
		)
		for num := range maxPages {
			items, a, err := l.fetch(ctx, c, num)
			if err != nil {
				yield(Page[T]{}, err)
				return
			}
			if num > 0 && l.sameRows(items, previous) {
				if num > 1 {
					yield(Page[T]{}, ErrIncomplete)
					return
				}
				shift = 1
				continue
			}
			seen += int64(len(items))
			if len(items) > 0 || num == 0 {
				if !yield(Page[T]{Items: items, TotalElements: a.totalElements}, nil) {
					return
				}
			}
			if a.isLast(num-shift, len(items), seen) {
				return
			}
			previous = items
		}
		yield(Page[T]{}, ErrIncomplete)
	}
}

// isLast tells whether page num, with that many rows, ends the list. A full page that TotalPages calls the last is
// believed only if TotalElements agrees: the next page costs one request, a cut list hides tasks.
func (a *answer) isLast(num, rows int, seen int64) bool {
	size := int64(pageSize)
	if a.pageSize > 0 {
		size = min(size, a.pageSize) // the server may give less than what was asked for
	}
	return int64(rows) < size || a.totalPages > 0 && int64(num)+1 >= a.totalPages && seen >= a.totalElements
}

func (l listing[T]) sameRows(a, b []T) bool {
	return len(a) > 0 && slices.EqualFunc(a, b, func(x, y T) bool { return l.id(x) == l.id(y) })
}

// fetch reads one page.
func (l listing[T]) fetch(ctx context.Context, c *Client, num int) ([]T, answer, error) {
	params := maps.Clone(l.params)
	params["PageNum"] = strconv.Itoa(num)
	params["PageSize"] = strconv.Itoa(pageSize)

	var items []T
	a, err := c.call(ctx, l.action, canonicalQuery(params), func() rows {
		items = make([]T, 0, pageSize)
		var row T
		return rows{
			listName: l.listName,
			field:    func(d *decoder, name string) (bool, error) { return l.field(&row, d, name) },
			next:     func() { items, row = append(items, row), *new(T) },
			check: func(a answer) error {
				// Publishing this as "nothing there" would turn a fault into good news.
				if num == 0 && len(items) == 0 && a.totalElements > 0 {
					return fmt.Errorf("the first page is empty though the list has %d elements", a.totalElements)
				}
				return nil
			},
		}
	})
	return items, a, err
}
