package collector

import (
	"maps"
	"slices"
	"strings"
	"time"

	"aliyun_dbs_exporter/dbsapi"
)

// mergePlans makes the list of plans to poll out of those that are configured and those that were discovered, as far
// as they belong to this shard. Plans that stay keep what they know. It returns the IDs of those that are new and of
// those that are gone. The caller holds mu.
func (t *target) mergePlans() (added, removed []string) {
	known := make(map[string]*plan)
	for _, p := range *t.plans.Load() {
		known[p.id] = p
	}
	var plans []*plan
	for _, m := range t.members() {
		if !t.shard.owns(t.account, t.region, m.id) {
			continue
		}
		p := known[m.id]
		if p == nil {
			p = newPlan(m.id, m.facts)
			added = append(added, m.id)
		}
		delete(known, m.id)
		p.facts.Store(&m.facts)
		plans = append(plans, p)
	}
	t.plans.Store(&plans)
	signal(t.changed)
	return added, slices.Sorted(maps.Keys(known))
}

// member is a plan that is to be polled.
type member struct {
	id    string
	facts planFacts
}

// members returns the configured plans in their order, then the discovered ones by ID. What is configured of a plan
// overrides what was discovered.
func (t *target) members() []member {
	config := t.settings.Load().config
	var found map[string]dbsapi.BackupPlan
	if d := t.discovered.Load(); d != nil {
		found = d.plans
	}
	configured := make([]member, 0, len(config.Plans))
	rest := make(map[string]planFacts)
	for id, p := range found {
		if config.Discovery.wants(p) {
			rest[id] = discoveredFacts(p, true)
		}
	}
	for _, pc := range config.Plans {
		facts, wanted := rest[pc.ID]
		if p, ok := found[pc.ID]; ok && !wanted {
			facts = discoveredFacts(p, false)
		}
		delete(rest, pc.ID)
		if pc.Name != "" {
			facts.name = label(pc.Name)
		}
		facts.maxSuccessAge = time.Duration(pc.MaxSuccessAge)
		configured = append(configured, member{pc.ID, facts})
	}
	var others []member
	for id, facts := range rest {
		others = append(others, member{id, facts})
	}
	slices.SortFunc(others, func(a, b member) int { return strings.Compare(a.id, b.id) })
	return append(configured, others...)
}

// discoveredFacts is what a row of the list of plans says.
func discoveredFacts(p dbsapi.BackupPlan, wanted bool) planFacts {
	facts := planFacts{
		name:         label(p.Name),
		databaseType: label(p.DatabaseType),
		status:       planStatus(p.Status),
		discovered:   wanted,
	}
	if p.AutoDownloadKnown {
		facts.autoDownload = &p.AutoDownload
	}
	return facts
}
