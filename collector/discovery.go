package collector

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"time"

	"github.com/go-kit/log/level"
	"github.com/prometheus/common/model"

	"aliyun_dbs_exporter/dbsapi"
)

// DiscoveryConfig says which of an account's plans are polled without being listed one by one.
type DiscoveryConfig struct {
	Enabled bool `yaml:"enabled"`
	// Interval is how often the plans are listed.
	Interval model.Duration `yaml:"interval"`
	// Include and Exclude are matched with the plan's whole name.
	Include Pattern `yaml:"include"`
	Exclude Pattern `yaml:"exclude,omitempty"`
	// Statuses are those of the plans that are polled.
	Statuses []string `yaml:"statuses"`
}

func (c *DiscoveryConfig) setDefaults() {
	*c = DiscoveryConfig{Interval: model.Duration(10 * time.Minute), Statuses: []string{"running"}}
	_ = c.Include.UnmarshalText([]byte(".*")) // is a good expression
}

// wants tells whether a discovered plan is to be polled.
func (c *DiscoveryConfig) wants(p dbsapi.BackupPlan) bool {
	return planPattern.MatchString(p.ID) && slices.Contains(c.Statuses, planStatus(p.Status)) &&
		c.Include.matches(p.Name) && !c.Exclude.matches(p.Name)
}

// planStatuses are the documented statuses of a plan (DescribeBackupPlanList), and the one for any other.
var planStatuses = []string{"wait", "init", "running", "stop", "pause", "locked", "check_pass", planStatusUnknown}

const planStatusUnknown = "unknown"

func planStatus(raw string) string {
	if slices.Contains(planStatuses, raw) {
		return raw
	}
	return planStatusUnknown
}

// Pattern is a regular expression that must match the whole text. The zero value matches nothing.
type Pattern struct {
	text   string
	regexp *regexp.Regexp
}

// UnmarshalText takes a regular expression; an empty one matches nothing.
func (p *Pattern) UnmarshalText(text []byte) error {
	*p = Pattern{text: string(text)}
	if p.text == "" {
		return nil
	}
	var err error
	p.regexp, err = regexp.Compile("^(?s:" + p.text + ")$")
	return err
}

// MarshalText returns the expression as it was given.
func (p Pattern) MarshalText() ([]byte, error) { return []byte(p.text), nil }

// Equal tells whether two patterns are the same expression.
func (p Pattern) Equal(other Pattern) bool { return p.text == other.text }

func (p Pattern) matches(text string) bool { return p.regexp != nil && p.regexp.MatchString(text) }

// discovered is what the listings of an account's plans have found so far. It is not changed once it is published.
type discovered struct {
	// plans are the rows of the newest good list, by ID, also those that the filters leave out: a reload may change them.
	plans map[string]dbsapi.BackupPlan
	// err is the outcome of the newest listing. goodAt is when the newest good one ended.
	err    error
	goodAt time.Time
}

// errCutList is a list of plans that has fewer than the API says there are.
var errCutList = errors.New("the list of plans is not complete, plans that it lacks are polled on")

// discover lists the account's plans and takes over what came.
func (t *target) discover(ctx context.Context, s *settings) {
	plans, err := listPlans(ctx, s, t.region)
	if ctx.Err() != nil {
		return // the process or the target ends
	}
	if err != nil {
		level.Warn(t.logger).Log("msg", "Discovery failed, the plans known before are polled on", "err", err, "advice", advice(err))
	}
	added, removed := t.takeOver(s, plans, err)
	if len(added)+len(removed) > 0 {
		level.Info(t.logger).Log("msg", "Plans changed", "plans", len(*t.plans.Load()), "added", len(added), "added_ids", shortList(added),
			"removed", len(removed), "removed_ids", shortList(removed))
	}
	t.logBudget()
}

// takeOver publishes the outcome of a list of plans, and returns which plans came and went.
func (t *target) takeOver(s *settings, plans map[string]dbsapi.BackupPlan, err error) (added, removed []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !sameSource(s.config, t.settings.Load().config) {
		return nil, nil // a reload has made this the answer to another question
	}
	next := &discovered{plans: plans, err: err}
	if err == nil {
		next.goodAt = time.Now()
	} else if old := t.discovered.Load(); old != nil {
		// What was known stays; what came is new knowledge all the same.
		next.goodAt = old.goodAt
		next.plans = maps.Clone(old.plans)
		maps.Copy(next.plans, plans)
	}
	t.discovered.Store(next)
	return t.mergePlans()
}

// sameSource tells whether two configurations of a target ask the same account in the same way for its plans.
func sameSource(a, b *TargetConfig) bool {
	return a.Discovery.Enabled == b.Discovery.Enabled && a.endpoint() == b.endpoint() && reflect.DeepEqual(a.Credentials, b.Credentials)
}

// listPlans reads all pages within the budget of a poll. With an error it returns the plans that came before it.
//
// No plan at all is believed only if the API says that there is none: the opposite takes every series away.
func listPlans(ctx context.Context, s *settings, region string) (map[string]dbsapi.BackupPlan, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	plans, total := make(map[string]dbsapi.BackupPlan), int64(0)
	for page, err := range s.client.BackupPlans(ctx, dbsapi.PlanQuery{Region: region}) {
		if err != nil {
			return plans, err
		}
		for _, p := range page.Items {
			plans[p.ID] = p
		}
		total = page.TotalElements
	}
	switch found := int64(len(plans)); {
	case found == 0 && total < 0:
		return plans, errors.New("the list of plans is empty, and the API does not say that there are none")
	case found < total:
		return plans, fmt.Errorf("%d of %d plans: %w", found, total, errCutList)
	}
	return plans, nil
}

// runDiscovery lists the plans at once and then in every interval, while that is configured. After a failure it tries
// again with the next poll round.
func (t *target) runDiscovery(ctx context.Context) {
	var (
		asked *settings // those of the last attempt, which ended at a time
		ended time.Time
	)
	for {
		s := t.settings.Load()
		var timer <-chan time.Time
		if s.config.Discovery.Enabled {
			var next time.Time // at once
			if asked != nil && sameSource(asked.config, s.config) {
				next = ended.Add(t.discoveryPause(s))
			}
			timer = time.After(time.Until(next))
		} else {
			asked = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-t.reconfigured:
		case <-timer:
			t.discover(ctx, s)
			asked, ended = s, time.Now()
		}
	}
}

// discoveryPause is the time between two lists of plans.
func (t *target) discoveryPause(s *settings) time.Duration {
	pause := time.Duration(s.config.Discovery.Interval)
	if d := t.discovered.Load(); d != nil && d.err != nil {
		pause = min(pause, s.interval)
	}
	return pause
}
