// Command scale measures what one exporter carries. It runs the real binary
// against a simulated endpoint and prints the figures of docs/scaling.md as
// tables:
//
//   - plans: CPU time, memory and page by the number of plans
//   - orders: requests per poll of a plan with 10,000 ended tasks, by the order
//     of the list
//   - quota: requests per minute and late polls of 150 plans with 1,000 tasks each
//   - memory: resident memory with 1,000,000 tasks
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
)

// measurements are all there are, in the order in which they run.
var measurements = []struct {
	name string
	run  func(context.Context, *options) error
}{
	{"plans", measurePlans},
	{"orders", measureOrders},
	{"quota", measureQuota},
	{"memory", measureMemory},
}

// options are what all measurements share.
type options struct {
	binary, dir string
	// plans are the numbers of plans of the first table, tasks the number of tasks
	// of each.
	plans []int
	tasks int
	// polls is how many intervals the measurements orders and quota take after
	// the first round.
	polls int
	// speed divides the minute of the measurement quota, and multiplies its rate.
	speed int
}

func main() {
	only := flag.String("only", "plans,orders,quota,memory", "what to measure")
	plans := flag.String("plans", "10,100,300,1000,5000", "numbers of plans of the first table")
	tasks := flag.Int("tasks", 20, "number of tasks of each plan of the first table; one in 1,000 is open")
	polls := flag.Int("polls", 60, "intervals to measure requests for; full listings come every 30")
	speed := flag.Int("speed", 10, "how many times faster than in reality the minutes of the table of the quota pass")
	flag.Parse()
	o := &options{tasks: *tasks, polls: *polls, speed: *speed}
	for number := range strings.SplitSeq(*plans, ",") {
		n, err := strconv.Atoi(number)
		if err != nil {
			log.Fatal(err)
		}
		o.plans = append(o.plans, n)
	}
	// An interrupted measurement ends the exporter that it started.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := o.run(ctx, strings.Split(*only, ","))
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

// run builds the exporter and runs the measurements that are named.
func (o *options) run(ctx context.Context, names []string) error {
	var err error
	if o.dir, err = os.MkdirTemp("", "scale"); err != nil {
		return err
	}
	defer os.RemoveAll(o.dir)
	o.binary = filepath.Join(o.dir, "aliyun_dbs_exporter")
	build := exec.CommandContext(ctx, "go", "build", "-o", o.binary, ".")
	build.Dir = ".." // the exporter's module; the test module starts commands in its own folder
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build the exporter: %w", err)
	}
	chosen := make(map[string]bool)
	for _, name := range names {
		chosen[name] = true
	}
	for _, m := range measurements {
		if !chosen[m.name] {
			continue
		}
		if err := m.run(ctx, o); err != nil {
			return fmt.Errorf("measure %s: %w", m.name, err)
		}
		fmt.Println()
	}
	return nil
}
