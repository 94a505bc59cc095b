package main

import (
	"context"
	"strings"
	"testing"
	"time"
)

// startPeers serves the page and returns the clients, each of which has read it once.
func startPeers(tb testing.TB) []peer {
	tb.Helper()
	page, err := renderPage()
	if err != nil {
		tb.Fatal(err)
	}
	host, stop, err := servePage(context.Background(), page)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(stop)
	peers, err := newPeers(host)
	if err != nil {
		tb.Fatal(err)
	}
	for _, p := range peers {
		if err := p.check(tb.Context()); err != nil {
			tb.Fatal(err)
		}
	}
	return peers
}

// BenchmarkPage is for benchstat; the command prints the ratios.
func BenchmarkPage(b *testing.B) {
	for _, p := range startPeers(b) {
		b.Run(p.name, p.benchmark)
	}
}

func TestReport(t *testing.T) {
	results := []testing.BenchmarkResult{
		{N: 2, T: 2 * time.Millisecond, MemBytes: 2000, MemAllocs: 20},
		{N: 1, T: 5 * time.Millisecond, MemBytes: 30_500, MemAllocs: 1005},
	}
	var out strings.Builder
	if err := report(&out, []peer{{name: "ours"}, {name: "another"}}, results); err != nil {
		t.Fatal(err)
	}
	want := `    ns/op   B/op  allocs/op   time  memory   allocs  client
  1000000   1000         10  1.00x   1.00x    1.00x  ours
  5000000  30500       1005  5.00x  30.50x  100.50x  another
`
	if out.String() != want {
		t.Errorf("got\n%s, want\n%s", out.String(), want)
	}
}
