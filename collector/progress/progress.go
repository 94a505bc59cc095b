// Package progress shows how polling every plan once goes: a bar on a terminal, a
// line per plan elsewhere.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"aliyun_dbs_exporter/collector/poll"
)

// Progress shows polls as they end. It is safe for concurrent use.
type Progress struct {
	mu     sync.Mutex
	out    io.Writer
	bar    *progressbar.ProgressBar
	total  func() int
	polls  int
	failed []string
}

// New returns a progress that is shown on out. Total returns how many polls are
// known to come; discovery adds to them.
func New(out io.Writer, total func() int) *Progress {
	p := &Progress{out: out, total: total}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.bar = progressbar.NewOptions(1, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription("polling plans"),
			progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
	}
	return p
}

// Polled shows the end of one poll; it is a hook of [poll.Poller].
func (p *Progress) Polled(id poll.TargetID, plan poll.Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.polls++
	switch {
	case p.bar == nil:
		fmt.Fprintf(p.out, "[%d/%d] %s\n", p.polls, p.total(), outcome(id, plan))
		return
	case plan.Poll.Failure != nil:
		p.failed = append(p.failed, outcome(id, plan))
	}
	p.bar.ChangeMax(p.total())
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
	for _, line := range p.failed {
		fmt.Fprintln(p.out, line)
	}
	fmt.Fprintf(p.out, "polled %d plans, %d failed\n", p.polls, len(p.failed))
}

func outcome(id poll.TargetID, plan poll.Plan) string {
	text := fmt.Sprintf("account %s, region %s, plan %s: ", id.Account, id.RegionID, plan.ID)
	if f := plan.Poll.Failure; f != nil {
		return text + "failed: " + f.Text + ". " + f.Advice
	}
	if plan.Listing == nil {
		return text + "its listing is older than stale_after"
	}
	return text + fmt.Sprintf("%d tasks", plan.Listing.Tasks)
}
