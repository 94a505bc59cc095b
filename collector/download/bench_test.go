package download_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/dbsapi"
)

// history are the pages of a plan with a download a minute, the last of which
// has not ended, most of them too old for series.
func history(pages int) [][]dbsapi.DownloadTask {
	list := make([][]dbsapi.DownloadTask, pages)
	for p := range list {
		for i := range 100 {
			n := p*100 + i
			r := row(fmt.Sprintf("dbsdownload%012d", n), "finish", ago(time.Duration(n+1)*time.Minute), ago(time.Duration(n)*time.Minute))
			if n == 0 {
				r.Status, r.Finished = "running", never
			}
			r.Name, r.BackupSetID = fmt.Sprintf("nightly download %d", n), fmt.Sprintf("dbsset%012d", n)
			r.DBType, r.DataFormat, r.Way, r.TargetType, r.GatewayID = "MySQL", "SQL", "auto", "agent", "1234567"
			list[p] = append(list[p], r)
		}
	}
	return list
}

var dayOfTen = download.Limits{CompletedWithin: 24 * time.Hour, MaxPerPlan: 100}

// perRow reports what a run costs by row.
func perRow(b *testing.B, rows int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
}

func BenchmarkListing(b *testing.B) {
	for _, pages := range []int{1, 100} {
		b.Run(fmt.Sprint(pages, " pages"), func(b *testing.B) {
			list := history(pages)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := build(dayOfTen, list...).Listing(int64(pages)*100, false); err != nil {
					b.Fatal(err)
				}
			}
			perRow(b, pages*100)
		})
	}
}

// BenchmarkEnds compares full listings that say the same.
func BenchmarkEnds(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprint(n, " pages"), func(b *testing.B) {
			builders := [...]*download.Builder{build(dayOfTen, history(n)...), build(dayOfTen, history(n)...)}
			var ends download.Ends
			ends.Update(builders[0], now)
			b.ReportAllocs()
			for i := 1; b.Loop(); i++ {
				ends.Update(builders[i%2], now)
			}
			perRow(b, n*100)
		})
	}
}

// BenchmarkPoll polls a plan in which nothing happens: one page, which is always
// read whole, and 100 pages between full listings.
func BenchmarkPoll(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprint(n, " pages"), func(b *testing.B) {
			list := pages(history(n))
			var tracker download.Tracker
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tracker.Poll(download.Conditions{Now: now, Limits: dayOfTen}, list); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRetained reports what stays of 100 pages between two polls.
func BenchmarkRetained(b *testing.B) {
	list := pages(history(100))
	for b.Loop() {
		before := heapAlloc()
		tracker := new(download.Tracker)
		if _, err := tracker.Poll(download.Conditions{Now: now, Limits: dayOfTen}, list); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(heapAlloc()-before)/10_000, "bytes/row")
		runtime.KeepAlive(tracker)
	}
}

// BenchmarkShare shares among 1,000 plans of 100 tasks each.
func BenchmarkShare(b *testing.B) {
	l := list100()
	listings := make([]*download.Listing, 1000)
	for i := range listings {
		listings[i] = l
	}
	for _, limit := range []int{100_000, 10_000} {
		b.Run(fmt.Sprint(limit, " of 100000"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				download.Share(listings, 100, limit)
			}
		})
	}
}

func list100() *download.Listing {
	l, err := build(dayOfTen, history(1)...).Listing(100, false)
	if err != nil {
		panic(err)
	}
	return l
}
