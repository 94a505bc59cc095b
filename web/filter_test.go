package web_test

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/collector/poll"
	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
)

var (
	planName = regexp.MustCompile(`scope="row"><span class="name">(.*?)</span>`)
	address  = regexp.MustCompile(`href="(.*?)"`)
)

// found returns the plans that a page shows, and the addresses of the other
// pages of the same filter.
func found(page string) (names, links []string) {
	_, plans, _ := strings.Cut(page, `id="plans"`)
	for _, name := range planName.FindAllStringSubmatch(plans, -1) {
		names = append(names, html.UnescapeString(name[1]))
	}
	_, nav, _ := strings.Cut(page, `<nav class="pages"`)
	nav, _, _ = strings.Cut(nav, "</nav>")
	for _, link := range address.FindAllStringSubmatch(nav, -1) {
		links = append(links, html.UnescapeString(link[1]))
	}
	return names, links
}

// The filter finds plans by name, ID, account and region, and a page has a
// hundred plans.
func TestFilter(t *testing.T) {
	var plans []string
	for i := range 250 {
		plans = append(plans, fmt.Sprintf("dbs%03d, name: Orders %d", i, i))
	}
	state := snapshot(t, simtest.Config{Targets: []simtest.Target{
		{Account: "acme", Plans: append(plans, "dbsgone, name: gone")},
		{Account: "other", RegionID: "cn-shanghai", Plans: []string{`dbsx, name: "a&b <i>"`}},
	}})
	for i := range state.Targets {
		for j := range state.Targets[i].Plans {
			polled(&state.Targets[i].Plans[j], time.Second, tasks())
		}
	}
	failed(&state.Targets[0].Plans[250], forbidden)
	s := newSite(t, func() *poll.Snapshot { return state })

	const (
		first  = "Plans 1 to 100 of 252, failing ones first."
		second = "Plans 101 to 200 of 252, failing ones first."
		third  = "Plans 201 to 252 of 252, failing ones first."
	)
	var (
		fromFirst  = []string{"./?page=2#plans", "./?page=3#plans"}
		fromSecond = []string{"./?page=1#plans", "./?page=1#plans", "./?page=3#plans", "./?page=3#plans"}
		fromThird  = []string{"./?page=1#plans", "./?page=2#plans"}
		ofAcme     = []string{"./?page=2&q=acme#plans", "./?page=3&q=acme#plans"}
	)
	tests := []struct {
		query string
		shown string
		first string
		rows  int
		links []string
	}{
		{"", first, "gone", 100, fromFirst},
		{"?page=2", second, "Orders 188", 100, fromSecond},
		{"?page=3", third, "Orders 53", 52, fromThird},
		{"?page=4", third, "Orders 53", 52, fromThird},
		{"?page=-1", first, "gone", 100, fromFirst},
		{"?page=99999999999999999999", third, "Orders 53", 52, fromThird},
		{"?page=x", first, "gone", 100, fromFirst},
		{"?q=+oRDers+24+", "11 of 252 plans match.", "Orders 24", 11, nil},
		{"?q=DBS13", "10 of 252 plans match.", "Orders 130", 10, nil},
		{"?q=acme", "251 of 252 plans match, 1 to 100 are shown.", "gone", 100, ofAcme},
		{"?q=shanghai", "1 of 252 plans match.", "a&b <i>", 1, nil},
		{"?q=%26b+%3Ci", "1 of 252 plans match.", "a&b <i>", 1, nil},
		{"?show=failing", "1 of 252 plans match.", "gone", 1, nil},
		{"?show=failing&q=orders", "No plan matches.", "", 0, nil},
		{"?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "No plan matches.", "", 0, nil},
		{"?q=" + strings.Repeat("%ff", 1000), first, "gone", 100, fromFirst},
		{"?q=" + strings.Repeat("x", 100_000), "No plan matches.", "", 0, nil},
	}
	for _, test := range tests {
		page := s.get("/" + test.query)
		if !strings.Contains(text(page), "\n"+test.shown+"\n") {
			t.Errorf("%.60s: the page does not say %q", test.query, test.shown)
		}
		names, links := found(page)
		if len(names) != test.rows || len(names) > 0 && names[0] != test.first {
			t.Errorf("%.60s: the plans are %q, want %d from %q on", test.query, names, test.rows, test.first)
		}
		if diff := cmp.Diff(test.links, links); diff != "" {
			t.Errorf("%.60s: links (-want +got):\n%s", test.query, diff)
		}
		if strings.Contains(page, "<script") || len(page) > 200_000 {
			t.Errorf("%.60s: the input comes back as it is", test.query)
		}
	}
}

// BenchmarkStatus measures page and document of 5,000 plans.
func BenchmarkStatus(b *testing.B) {
	var config simtest.Config
	for account := range 10 {
		target := simtest.Target{Account: fmt.Sprint("account", account)}
		for i := range 500 {
			target.Plans = append(target.Plans, fmt.Sprintf("dbs%d%03d, name: orders-mysql-%d%03d", account, i, account, i))
		}
		config.Targets = append(config.Targets, target)
	}
	state := snapshot(b, config)
	for i := range state.Targets {
		for j := range state.Targets[i].Plans {
			listing := withSuccess(tasks(download.StatusStop, download.StatusFinish), time.Hour)
			polled(&state.Targets[i].Plans[j], time.Second, withFailure(listing, download.StatusStop, time.Minute))
		}
	}
	s := newSite(b, func() *poll.Snapshot { return state })
	for name, path := range map[string]string{"page": "/", "filtered": "/?q=999", "document": "/api/v1/status"} {
		b.Run(name, func(b *testing.B) {
			size := 0
			b.ReportAllocs()
			for b.Loop() {
				size = len(s.get(path))
			}
			b.ReportMetric(float64(size), "page-bytes")
		})
	}
}
