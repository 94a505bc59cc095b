package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/credentials"
)

// validate makes sure that the values of a configuration make sense, each and
// together.
func (f *file) validate(c *Config) error {
	const noSeries = "; to export no task series, set task_series.enabled: false"
	switch {
	case c.PollInterval < Duration(time.Second):
		return f.errorAt("poll_interval", "must be at least 1s; the API's quota is shared by the whole account")
	case c.PollTimeout <= 0 || c.PollTimeout > c.PollInterval:
		return f.errorAt("poll_timeout", "must be more than 0s and at most poll_interval, "+c.PollInterval.String())
	case c.StaleAfter < c.PollInterval:
		return f.errorAt("stale_after", "must be at least poll_interval, "+c.PollInterval.String()+
			"; otherwise listings vanish between polls")
	case c.IdlePollInterval < c.PollInterval:
		return f.errorAt("idle_poll_interval", "must be at least poll_interval, "+c.PollInterval.String())
	case c.StaleAfter < c.IdlePollInterval:
		return f.errorAt("stale_after", "must be at least idle_poll_interval, "+c.IdlePollInterval.String()+
			"; otherwise listings vanish between polls")
	case c.FullListingInterval != 0 && c.FullListingInterval < c.PollInterval:
		return f.errorAt("full_listing_interval", "must be at least poll_interval, "+c.PollInterval.String()+
			"; to read all tasks with every poll, set 0s")
	case c.TaskSeries.CompletedWithin <= 0:
		return f.errorAt("task_series.completed_within", "must be more than 0s"+noSeries)
	case c.TaskSeries.MaxPerPlan < 1:
		return f.errorAt("task_series.max_per_plan", "must be at least 1"+noSeries)
	case c.TaskSeries.MaxTotal < 1:
		return f.errorAt("task_series.max_total", "must be at least 1"+noSeries)
	case len(c.Targets) == 0:
		return f.errorAt("targets", "must have at least one element")
	}
	if err := f.validateHTTPClient(&c.HTTPClient); err != nil {
		return err
	}
	return f.validateTargets(c.Targets)
}

func (f *file) validateHTTPClient(c *HTTPClient) error {
	const path = "http_client"
	if c.ProxyURL != "" {
		if _, err := c.ProxyURL.parse(); err != nil {
			return f.errorAt(path+".proxy_url", err.Error())
		}
	}
	switch {
	case c.ProxyFromEnvironment && (c.ProxyURL != "" || c.NoProxy != ""):
		return f.errorAt(path+".proxy_from_environment",
			"must not be combined with proxy_url or no_proxy; remove one of them")
	case c.NoProxy != "" && c.ProxyURL == "":
		return f.errorAt(path+".no_proxy", "needs proxy_url")
	}
	return f.validateTLS(path+".tls_config", c)
}

func (f *file) validateTLS(path string, c *HTTPClient) error {
	tls := &c.TLS
	if tls.MinVersion != "" && tls.MinVersion != "TLS12" && tls.MinVersion != "TLS13" {
		return f.errorAt(path+".min_version", "must be TLS12 or TLS13")
	}
	if (tls.CertFile == "") != (tls.KeyFile == "") {
		return f.errorAt(path, "must have both cert_file and key_file, or neither")
	}
	for _, file := range []struct{ key, path string }{
		{"ca_file", tls.CAFile}, {"cert_file", tls.CertFile}, {"key_file", tls.KeyFile},
	} {
		if file.path == "" {
			continue
		}
		if _, err := credentials.ReadFile(file.path, maxPEM); err != nil {
			return f.errorAt(path+"."+file.key, "must be the path of a regular file of at most 1 MiB that can be read")
		}
	}
	options := c.options()
	if _, err := newTLSConfig(&options.TLSConfig); err != nil {
		return f.errorAt(path, "must name files with valid certificates and keys in PEM format")
	}
	return nil
}

func (f *file) validateTargets(targets []Target) error {
	first := make(map[[2]string]string)
	for i := range targets {
		t, path := &targets[i], fmt.Sprintf("targets[%d]", i)
		if err := f.validateTarget(path, t); err != nil {
			return err
		}
		id := [2]string{t.Account, t.RegionID}
		if other, twice := first[id]; twice {
			return f.errorAt(path, fmt.Sprintf("has the account and region_id of the target on line %d; "+
				"combine their plans, or give the accounts different names", f.line(other)))
		}
		first[id] = path
	}
	return nil
}

var (
	// regionPattern is the form of region IDs, such as cn-hangzhou-finance.
	regionPattern = regexp.MustCompile(`^[a-z]{2}-[a-z0-9-]{1,40}$`)
	// planIDPattern accepts more than the IDs that the API gives, which are dbs
	// and 12 letters or digits. It keeps out what is not a single ID.
	planIDPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

const (
	// maxName is the longest name that becomes a label value.
	maxName = 256
	// maxRate is far above any quota of the API.
	maxRate = 1000
	// minRate is a request in a quarter of an hour; less is a mistake too.
	minRate = 0.001
	// maxConcurrency limits the connections of one target.
	maxConcurrency = 64
)

func (f *file) validateTarget(path string, t *Target) error {
	switch {
	case t.Account == "" || len(t.Account) > maxName:
		return f.errorAt(path+".account", `must have 1 to 256 bytes; remove the key to use "default"`)
	case t.RegionID == "":
		return f.errorAt(path+".region_id", "must be set, such as cn-hangzhou")
	case !regionPattern.MatchString(t.RegionID):
		return f.errorAt(path+".region_id", "must be a region ID such as cn-hangzhou")
	case t.Network != dbsapi.NetworkPublic && t.Network != dbsapi.NetworkVPC:
		return f.errorAt(path+".network", "must be public or vpc")
	case !(t.RequestsPerSecond >= minRate && t.RequestsPerSecond <= maxRate): // also refuses NaN
		return f.errorAt(path+".requests_per_second", "must be 0.001 to 1000")
	case t.MaxConcurrentRequests < 1 || t.MaxConcurrentRequests > maxConcurrency:
		return f.errorAt(path+".max_concurrent_requests", "must be 1 to 64")
	}
	if t.EndpointOverride != "" {
		if _, err := dbsapi.ParseEndpoint(t.EndpointOverride); err != nil {
			return f.errorAt(path+".endpoint", err.Error())
		}
	} else if _, err := dbsapi.Endpoint(t.RegionID, t.Network); err != nil {
		return f.errorAt(path+".region_id", err.Error()+"; set endpoint if the region is new")
	}
	if err := t.CredentialsBlock.validate(f, path+".credentials"); err != nil {
		return err
	}
	if len(t.Plans) == 0 && !t.Discovery.Enabled {
		return f.errorAt(path+".plans", "must have at least one plan, unless discovery.enabled is true")
	}
	if err := f.validateDiscovery(path+".discovery", &t.Discovery); err != nil {
		return err
	}
	if t.Gateways.Interval < minListInterval {
		return f.errorAt(path+".gateways.interval", listTooOften)
	}
	return f.validatePlans(path+".plans", t.Plans)
}

// minListInterval keeps lists of plans and gateways, which can have many pages,
// from using the quota that polls need.
const minListInterval = Duration(10 * time.Second)

const listTooOften = "must be at least 10s; the API's quota is shared by the whole account"

func (f *file) validateDiscovery(path string, d *Discovery) error {
	switch {
	case d.Interval < minListInterval:
		return f.errorAt(path+".interval", listTooOften)
	case d.Include.IsZero():
		return f.errorAt(path+".include", "must not be empty, which matches no plan; remove the key to match all")
	case len(d.Statuses) == 0:
		return f.errorAt(path+".statuses", "must have at least one status; remove the key to use running")
	}
	known := append(slices.Clone(dbsapi.PlanStatuses), PlanStatusUnknown)
	for i, status := range d.Statuses {
		if !slices.Contains(known, status) {
			return f.errorAt(fmt.Sprintf("%s.statuses[%d]", path, i), "must be one of "+strings.Join(known, ", "))
		}
	}
	return nil
}

func (f *file) validatePlans(path string, plans []Plan) error {
	first := make(map[string]string)
	for i, p := range plans {
		path := fmt.Sprintf("%s[%d]", path, i)
		switch other, twice := first[p.ID]; {
		case p.ID == "":
			return f.errorAt(path+".id", "must be set, such as dbsqhnuhyw3abcd")
		case !planIDPattern.MatchString(p.ID):
			return f.errorAt(path+".id", "must be the ID of one backup plan, such as dbsqhnuhyw3abcd")
		case twice:
			return f.errorAt(path+".id", fmt.Sprintf("is the plan on line %d again; remove one of the two", f.line(other)))
		case len(p.Name) > maxName:
			return f.errorAt(path+".name", "must have at most 256 bytes")
		case f.has(path+".max_success_age") && p.MaxSuccessAge == 0:
			return f.errorAt(path+".max_success_age", "must be more than 0s; remove the key for no limit")
		}
		first[p.ID] = path + ".id"
	}
	return nil
}
