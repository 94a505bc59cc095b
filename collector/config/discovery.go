package config

import (
	"regexp"
	"slices"
	"time"

	"go.yaml.in/yaml/v4"

	"aliyun_dbs_exporter/dbsapi"
)

// Discovery selects those of an account's plans that are polled without being
// in the file.
type Discovery struct {
	Enabled bool `yaml:"enabled"`
	// Interval is how often the account's plans are listed.
	Interval Duration `yaml:"interval"`
	// A plan's whole name must match Include and must not match Exclude.
	Include Pattern `yaml:"include"`
	Exclude Pattern `yaml:"exclude,omitempty"`
	// Statuses are the statuses, as [ParsePlanStatus] returns them, of the
	// plans that are polled.
	Statuses []string `yaml:"statuses"`
}

func defaultDiscovery() Discovery {
	return Discovery{
		Interval: Duration(10 * time.Minute),
		Include:  Pattern{text: ".*", regexp: regexp.MustCompile("^(?s:.*)$")},
		Statuses: defaultStatuses(),
	}
}

func defaultStatuses() []string { return []string{"running"} }

// UnmarshalYAML sets the defaults and reads a discovery block.
func (d *Discovery) UnmarshalYAML(node *yaml.Node) error {
	*d = defaultDiscovery()
	type plain Discovery
	if err := load(node, (*plain)(d), "enabled, interval, include, exclude, statuses"); err != nil {
		return err
	}
	if d.Statuses == nil { // the key has no value
		d.Statuses = defaultStatuses()
	}
	return nil
}

// IsPlanID reports whether a text can be the ID of a backup plan. Other texts
// cannot be asked for, and are not safe in labels.
func IsPlanID(id string) bool { return planIDPattern.MatchString(id) }

// Wants reports whether a plan of the account is to be polled.
func (d *Discovery) Wants(p dbsapi.BackupPlan) bool {
	return IsPlanID(p.ID) && slices.Contains(d.Statuses, ParsePlanStatus(p.Status)) &&
		d.Include.matches(p.Name) && !d.Exclude.matches(p.Name)
}

// PlanStatusUnknown stands for every status that the API does not document.
const PlanStatusUnknown = "unknown"

// ParsePlanStatus returns a documented plan status as it is, and
// [PlanStatusUnknown] for any other.
func ParsePlanStatus(raw string) string {
	if slices.Contains(dbsapi.PlanStatuses, raw) {
		return raw
	}
	return PlanStatusUnknown
}

// Pattern is a regular expression for a whole text. The zero value matches
// nothing.
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
	if p.regexp, err = regexp.Compile("^(?s:" + p.text + ")$"); err != nil {
		return problem("must be a regular expression such as prod-.*")
	}
	return nil
}

// MarshalText returns the expression as the file has it.
func (p Pattern) MarshalText() ([]byte, error) { return []byte(p.text), nil }

func (p Pattern) String() string { return p.text }

// IsZero reports whether the pattern is empty.
func (p Pattern) IsZero() bool { return p.text == "" }

// Equal reports whether two patterns are the same expression.
func (p Pattern) Equal(other Pattern) bool { return p.text == other.text }

func (p Pattern) matches(text string) bool { return p.regexp != nil && p.regexp.MatchString(text) }
