package exporter

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Page is a metrics page: values by series, which are written with sorted labels.
type Page map[string]float64

// Metrics scrapes the page as text.
func (p *Process) Metrics() Page {
	p.t.Helper()
	page, err := ParsePage(p.Get("/metrics"))
	if err != nil {
		p.t.Fatal(err)
	}
	return page
}

// ParsePage reads a page in the text format. Label values must not hold commas or braces, as is so in the tests.
func ParsePage(text string) (Page, error) {
	page := make(Page)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(line[i+1:], 64)
		if i < 0 || err != nil {
			return nil, fmt.Errorf("%q is no sample", line)
		}
		page[Series(line[:i])] = value
	}
	return page, nil
}

// Series sorts the labels of a series.
func Series(text string) string {
	name, labels, found := strings.Cut(strings.TrimSuffix(text, "}"), "{")
	if !found {
		return name
	}
	pairs := strings.Split(labels, ",")
	slices.Sort(pairs)
	return name + "{" + strings.Join(pairs, ",") + "}"
}

// Value returns a series' value, and whether it is there. Labels may stand in any order.
func (p Page) Value(series string) (float64, bool) {
	v, ok := p[Series(series)]
	return v, ok
}

// Is fails unless a series has a value.
func (p Page) Is(series string, want float64) error {
	if got, ok := p.Value(series); !ok || got != want {
		return fmt.Errorf("%s is %v (present: %t), want %v", series, got, ok, want)
	}
	return nil
}

// Sum adds the series of a metric that have all the given label pairs, such as status="stop".
func (p Page) Sum(name string, pairs ...string) (sum float64) {
	for series, v := range p {
		metric, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
		if metric != name {
			continue
		}
		if has := strings.Split(labels, ","); !slices.ContainsFunc(pairs, func(pair string) bool { return !slices.Contains(has, pair) }) {
			sum += v
		}
	}
	return sum
}
