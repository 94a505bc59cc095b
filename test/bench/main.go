// Bench compares what one page of download tasks costs our client and the official ones: fetched over loopback HTTP
// and decoded. It prints the figures of all clients from one run, and their ratios to ours. The official ones decode
// every member of a task, ours only those that it knows a use for: that is a part of the difference, and meant to be.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"
	"text/tabwriter"
)

func main() {
	testing.Init() // for the flag -test.benchtime
	rounds := flag.Int("rounds", 3, "how often every client is measured; the median counts")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, rounds int) error {
	if rounds < 1 {
		return errors.New("want at least one round")
	}
	page, err := renderPage()
	if err != nil {
		return err
	}
	host, stop, err := servePage(ctx, page)
	if err != nil {
		return err
	}
	defer stop()
	peers, err := newPeers(host)
	if err != nil {
		return err
	}
	results, err := measure(ctx, peers, rounds)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "One page of %d tasks, %d bytes, over loopback HTTP; median of %d rounds.\n", pageTasks, len(page), rounds)
	return report(out, peers, results)
}

// measure takes the median of every peer. The rounds alternate between the peers, so that a busy moment of the
// machine does not fall on one of them alone.
func measure(ctx context.Context, peers []peer, rounds int) ([]testing.BenchmarkResult, error) {
	results := make([][]testing.BenchmarkResult, len(peers))
	for range rounds {
		for i, p := range peers {
			if err := p.check(ctx); err != nil {
				return nil, err
			}
			r := testing.Benchmark(p.benchmark)
			if r.N == 0 {
				return nil, fmt.Errorf("%s: the benchmark ended early", p.name)
			}
			results[i] = append(results[i], r)
		}
	}
	medians := make([]testing.BenchmarkResult, len(peers))
	for i, r := range results {
		slices.SortFunc(r, func(a, b testing.BenchmarkResult) int { return cmp.Compare(a.NsPerOp(), b.NsPerOp()) })
		medians[i] = r[len(r)/2]
	}
	return medians, nil
}

func (p peer) benchmark(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.fetch(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// report prints a line for every peer; the first one is the measure of the others.
func report(out io.Writer, peers []peer, results []testing.BenchmarkResult) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "ns/op\tB/op\tallocs/op\ttime\tmemory\tallocs\t  client")
	ours := results[0]
	for i, r := range results {
		fmt.Fprintf(table, "%d\t%d\t%d\t%.2fx\t%.2fx\t%.2fx\t  %s\n", r.NsPerOp(), r.AllocedBytesPerOp(), r.AllocsPerOp(),
			ratio(r.NsPerOp(), ours.NsPerOp()), ratio(r.AllocedBytesPerOp(), ours.AllocedBytesPerOp()),
			ratio(r.AllocsPerOp(), ours.AllocsPerOp()), peers[i].name)
	}
	return table.Flush()
}

func ratio(a, b int64) float64 { return float64(a) / float64(b) }
