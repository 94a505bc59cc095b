package poll

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// readyWithin bounds how long the first polls can keep the exporter from being
// ready: Kubernetes gives up on a rollout after ten minutes, and the first polls
// of thousands of plans take longer than that.
const readyWithin = 5 * time.Minute

// health remembers what readiness needs.
type health struct {
	mu      sync.Mutex
	started time.Time
	ready   bool
}

func (h *health) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.started = time.Now()
}

// latch notes that the first polls of a state have ended: once ready, the exporter
// stays ready over reloads. It returns what is still missing.
func (h *health) latch(s *state) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ready {
		return nil
	}
	if h.started.IsZero() {
		return fmt.Errorf("polling has not begun")
	}
	if time.Since(h.started) < readyWithin {
		if err := s.firstPolls(); err != nil {
			return err
		}
	}
	h.ready = true
	return nil
}

// firstPolls returns nil if the first list of plans and the first poll of every
// plan have ended, well or badly.
func (s *state) firstPolls() error {
	for _, t := range s.targets {
		if t.planList != nil && !t.planList.tried {
			return fmt.Errorf("the first plan list of account %s in %s has not ended", t.id.Account, t.id.RegionID)
		}
		for _, plan := range t.plans {
			if plan.state.Load().polls == 0 {
				return fmt.Errorf("the first polls of account %s in %s have not ended", t.id.Account, t.id.RegionID)
			}
		}
	}
	return nil
}

// Ready returns nil as soon as the first lists of plans and the first polls of
// all plans have ended, and five minutes after the start at the latest. It then
// stays nil.
func (p *Poller) Ready() error { return p.health.latch(p.state.Load()) }

// Healthy returns nil while the schedule hands out turns.
func (p *Poller) Healthy() error {
	if err := p.schedule.Healthy(); err != nil {
		// Keys of jobs hold NULs.
		return errors.New("polling is stuck: " + strings.ReplaceAll(err.Error(), "\x00", " "))
	}
	return nil
}
