// Package progress shows how a single poll round goes: a bar on a terminal, a line a plan elsewhere.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"aliyun_dbs_exporter/collector"
)

// Progress shows polls as they end. It is safe for concurrent use.
type Progress struct {
	mu     sync.Mutex
	out    io.Writer
	bar    *progressbar.ProgressBar
	total  int
	polls  int
	failed []collector.PollResult
}

// New returns a progress that is shown on out.
func New(out io.Writer) *Progress { return &Progress{out: out} }

// Start says how many polls there will be.
func (p *Progress) Start(total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total = total
	if file, ok := p.out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(p.out), progressbar.OptionSetDescription("polling plans"),
			progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
	}
}

// Polled shows the end of one poll.
func (p *Progress) Polled(r collector.PollResult) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.polls++
	if p.bar == nil {
		fmt.Fprintf(p.out, "[%d/%d] %s\n", p.polls, p.total, outcome(r))
		return
	}
	if r.Err != nil {
		p.failed = append(p.failed, r)
	}
	p.bar.Add(1)
}

// End removes the bar and shows the failures in its place.
func (p *Progress) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar == nil {
		return
	}
	p.bar.Finish()
	for _, r := range p.failed {
		fmt.Fprintln(p.out, outcome(r))
	}
	fmt.Fprintf(p.out, "polled %d plans, %d failed\n", p.polls, len(p.failed))
}

func outcome(r collector.PollResult) string {
	plan := fmt.Sprintf("account %s, region %s, plan %s: ", r.Account, r.RegionID, r.PlanID)
	if r.Err != nil {
		return plan + "failed: " + r.Err.Error() + ". " + r.Advice
	}
	return plan + fmt.Sprintf("%d tasks", r.Tasks)
}
