package dbsapi

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"time"
)

const (
	// PageSize is the number of rows that each request asks for: the largest that
	// every list operation accepts (API pages), for fewer requests against a shared
	// quota.
	PageSize = 100
	// rowBytes is the size of a short row in an answer, from which the number of
	// rows is estimated: a download task or a plan has about 800 bytes.
	rowBytes = 700
	// maxPages ends a list that never ends: 100,000 rows, far over what a plan keeps.
	maxPages = 1000
	// maxReads is how many times a list is read that changes while it is read.
	maxReads = 3
)

// ErrIncomplete is yielded last by a listing that may lack rows: the server
// repeated a page or went in circles, sent fewer rows than its total, the list
// kept changing while it was read, or it exceeds 1,000 pages. The pages before
// it are valid.
var ErrIncomplete = errors.New("the listing may lack rows")

// ErrChanging is an [ErrIncomplete]: the list kept changing while it was read.
var ErrChanging = fmt.Errorf("%w: it changed each time it was read", ErrIncomplete)

// Page is one page of a listing.
type Page[T any] struct {
	// Number counts the pages from 0. A list that changed while it was read
	// starts again at 0; what the pages before said no longer holds.
	Number int
	// Requested is the page number that the request had: Number, or one more if
	// the API counts pages from 1.
	Requested int
	// Items are the rows in the order of the API.
	Items []T
	// TotalElements is how many rows the API says the whole list has, in this
	// answer or the last one before it that says so, -1 if none does, or if more
	// rows than that were read.
	TotalElements int64
	// ServerTime is the Date header of the answer, zero if there was none, or if
	// it differs from the local time by over 15 minutes.
	ServerTime time.Time
}

// listOperation describes a paged operation.
type listOperation[T comparable] struct {
	action   string
	params   map[string]string
	listName string
	field    func(row *T, d *decoder, name []byte) (known bool, err error)
	id       func(T) string
	// mayBeEmpty: an answer without rows needs no total of 0.
	mayBeEmpty bool
}

// errSeq is a listing that ends with err before its first request.
func errSeq[T any](err error) iter.Seq2[Page[T], error] {
	return func(yield func(Page[T], error) bool) { yield(Page[T]{}, err) }
}

// Ends of one read that are no failures.
var (
	errStopped = errors.New("the caller stopped the listing")
	errChanged = errors.New("the list changed while it was read")
)

// pager reads one list for one caller.
type pager[T comparable] struct {
	client *Client
	pace   Pace
	list   listOperation[T]
	yield  func(Page[T], error) bool
	// read is how many pages were read, in all reads of the list.
	read int
}

// pages lists all pages, and again from the first one if the list changes
// meanwhile: when a row of an earlier page is deleted, a row of the next page
// moves there and is not read.
func pages[T comparable](ctx context.Context, c *Client, pace Pace, l listOperation[T]) iter.Seq2[Page[T], error] {
	return (&pager[T]{client: c, pace: pace, list: l}).all(ctx)
}

func (p *pager[T]) all(ctx context.Context) iter.Seq2[Page[T], error] {
	return func(yield func(Page[T], error) bool) {
		p.yield = yield
		err := errChanged
		for n := 1; errors.Is(err, errChanged); n++ {
			err = p.readList(ctx, n == maxReads)
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(Page[T]{}, err)
		}
	}
}

// readList reads the list from PageNum 0 to its end. The last of all reads
// goes on where the list changes, so that as much as possible is known.
//
// Pages are numbered from 0 (API page, and the sample with PageNum 0 of
// TotalPages 1 that holds a row). A server that counts from 1 answers pages 0
// and 1 alike: the repetition is dropped, and every later page moves by one.
func (p *pager[T]) readList(ctx context.Context, last bool) error {
	var (
		progress = newProgress()
		ids      = newIDSet()
		previous []T
		repeated int
	)
	for num := range maxPages {
		items, a, err := p.fetch(ctx, num, PageSize)
		if err != nil {
			return err
		}
		if num > 0 && p.list.sameRows(items, previous) {
			if num > 1 {
				return progress.repeated()
			}
			repeated = 1
			continue
		}
		previous = items
		before := progress
		if progress.add(a, len(items)); progress.changed && !last {
			return errChanged
		}
		if !progress.ended && addIDs(ids, items, p.list.id) == 0 {
			return before.repeated()
		}
		if len(items) > 0 || num == 0 {
			page := Page[T]{
				Number: num - repeated, Requested: num, Items: items,
				TotalElements: progress.knownTotal(), ServerTime: a.serverTime,
			}
			if !p.yield(page, nil) {
				return errStopped
			}
		}
		if progress.ended {
			return progress.err()
		}
	}
	return ErrIncomplete
}

// sameRows reports whether two pages repeat each other. Rows without an ID say
// so only if they are equal and the pages are short: a server that repeats one
// such page would be asked for every page up to maxPages.
func (l listOperation[T]) sameRows(a, b []T) bool {
	return len(a) > 0 && slices.EqualFunc(a, b, func(x, y T) bool {
		if l.id(x) == "" {
			return len(a) < PageSize && x == y
		}
		return l.id(x) == l.id(y)
	})
}

// fetch reads one page of size rows.
func (p *pager[T]) fetch(ctx context.Context, num, size int) ([]T, answer, error) {
	params := maps.Clone(p.list.params)
	params["PageNum"] = strconv.Itoa(num)
	params["PageSize"] = strconv.Itoa(size)

	var items []T
	a, err := p.client.do(ctx, call{
		pace: p.pace, action: p.list.action, query: canonicalQuery(params), pages: p.read,
		newRows: func(length int) rows {
			items = make([]T, 0, min(length/rowBytes+1, size))
			var row T
			return rows{
				listName: p.list.listName,
				field:    func(d *decoder, name []byte) (bool, error) { return p.list.field(&row, d, name) },
				next: func() error {
					if len(items) == PageSize { // whatever size the server makes of it
						return errTooManyRows
					}
					items, row = append(items, row), *new(T)
					return nil
				},
				check: func(a answer) error {
					if p.list.mayBeEmpty {
						return nil
					}
					return checkEmpty(num, len(items), a.totalElements)
				},
			}
		},
	})
	p.read++
	return items, a, err
}

// checkEmpty refuses a first page without rows unless the API says that the list
// has none: accepting a bogus empty answer would show all tasks as gone.
func checkEmpty(num, rows int, total int64) error {
	switch {
	case num > 0 || rows > 0 || total == 0:
		return nil
	case total == unknown:
		return errors.New("the first page is empty and does not say that the list is")
	}
	return fmt.Errorf("the first page is empty though the list has %d elements", total)
}
