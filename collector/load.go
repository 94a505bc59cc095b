package collector

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"

	"aliyun_dbs_exporter/dbsapi"
)

// LoadConfig reads and checks a configuration file. Its errors name the line and the key and hold no value.
func LoadConfig(file string) (*Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
			err = pathErr.Err
		}
		return nil, fmt.Errorf("read configuration %s: %w; name another with --config.file", file, err)
	}
	return ParseConfig(text, file)
}

// ParseConfig checks a configuration text. The file's name is for messages and for the paths in the text, which are
// relative to it.
func ParseConfig(text []byte, file string) (*Config, error) {
	d := &document{file: file}
	c := new(Config)
	if err := d.decode(text, c); err != nil {
		return nil, err
	}
	c.setDerivedDefaults()
	c.resolvePaths(configDir(file))
	if err := d.check(c); err != nil {
		return nil, err
	}
	return c, nil
}

// check makes sure that the values of a configuration make sense, each and together.
func (d *document) check(c *Config) error {
	second := model.Duration(time.Second)
	switch {
	case c.PollInterval < second:
		return d.fail("poll_interval", "want 1s at the least; the API's quota is shared by the whole account")
	case c.PollTimeout <= 0 || c.PollTimeout > c.PollInterval:
		return d.fail("poll_timeout", "want more than 0 and at most poll_interval, "+c.PollInterval.String())
	case c.StaleAfter < c.PollInterval:
		return d.fail("stale_after", "want at least poll_interval, "+c.PollInterval.String()+", else listings vanish between polls")
	case c.TaskSeries.CompletedWithin <= 0:
		return d.fail("task_series.completed_within", "want more than 0; set task_series.enabled to false for no series of tasks")
	case c.TaskSeries.MaxPerPlan < 1:
		return d.fail("task_series.max_per_plan", "want 1 at the least; set task_series.enabled to false for no series of tasks")
	case c.TaskSeries.MaxTotal < 1:
		return d.fail("task_series.max_total", "want 1 at the least; set task_series.enabled to false for no series of tasks")
	case len(c.Targets) == 0:
		return d.fail("targets", "want at least one")
	}
	if err := d.checkHTTPClient(&c.HTTPClient); err != nil {
		return err
	}
	first := make(map[[2]string]int)
	for i := range c.Targets {
		t, key := &c.Targets[i], fmt.Sprintf("targets[%d]", i)
		if err := d.checkTarget(key, t); err != nil {
			return err
		}
		id := [2]string{t.Account, t.RegionID}
		if other, twice := first[id]; twice {
			return d.fail(key, fmt.Sprintf("account and region_id are those of the target on line %d; put the plans together, or name the accounts differently",
				d.line(fmt.Sprintf("targets[%d]", other))))
		}
		first[id] = i
	}
	return nil
}

func (d *document) checkHTTPClient(c *HTTPClientConfig) error {
	const key = "http_client"
	proxy := promconfig.ProxyConfig{ProxyURL: c.ProxyURL, NoProxy: c.NoProxy, ProxyFromEnvironment: c.ProxyFromEnvironment}
	switch hasProxy := c.ProxyURL.URL != nil && c.ProxyURL.String() != ""; {
	case c.ProxyFromEnvironment && (hasProxy || c.NoProxy != ""):
		return d.fail(key+".proxy_from_environment", "excludes proxy_url and no_proxy")
	case c.NoProxy != "" && !hasProxy:
		return d.fail(key+".no_proxy", "needs proxy_url")
	case proxy.Validate() != nil:
		return d.fail(key, "the proxy's keys do not fit together")
	}
	tls := c.TLSConfig
	if (tls.CertFile == "") != (tls.KeyFile == "") {
		return d.fail(key+".tls_config", "cert_file and key_file go together")
	}
	for name, path := range map[string]string{"ca_file": tls.CAFile, "cert_file": tls.CertFile, "key_file": tls.KeyFile} {
		if path == "" {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			return d.fail(key+".tls_config."+name, "the file cannot be read: "+path)
		}
	}
	options := c.options()
	if _, err := promconfig.NewTLSConfig(&options.TLSConfig); err != nil {
		return d.fail(key+".tls_config", "the files hold no valid certificates")
	}
	return nil
}

var (
	// regionPattern is the shape of region IDs, such as cn-hangzhou-finance.
	regionPattern = regexp.MustCompile(`^[a-z]{2}-[a-z0-9-]{1,40}$`)
	// planPattern is wider than the IDs seen, dbs and 12 letters or digits: they only have to be safe as labels.
	planPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

const (
	// maxName is the longest name that becomes a label value; longer ones would be cut.
	maxName = 256
	// maxRate is far over any quota of the API; more is a slip of the pen.
	maxRate = 1000
	// maxConcurrency bounds the connections of one target.
	maxConcurrency = 64
)

func (d *document) checkTarget(key string, t *TargetConfig) error {
	switch {
	case t.Account == "" || len(t.Account) > maxName:
		return d.fail(key+".account", "want a name of up to 256 bytes; leave the key out for \"default\"")
	case t.RegionID == "":
		return d.fail(key+".region_id", "is required, such as cn-hangzhou")
	case !regionPattern.MatchString(t.RegionID):
		return d.fail(key+".region_id", "want a region ID such as cn-hangzhou")
	case t.Network != dbsapi.NetworkPublic && t.Network != dbsapi.NetworkVPC:
		return d.fail(key+".network", "want public or vpc")
	case !(t.RequestsPerSecond > 0 && t.RequestsPerSecond <= maxRate):
		return d.fail(key+".requests_per_second", "want more than 0 and at most 1000")
	case t.MaxConcurrentRequests < 1 || t.MaxConcurrentRequests > maxConcurrency:
		return d.fail(key+".max_concurrent_requests", "want 1 to 64")
	}
	if t.Endpoint != "" {
		if _, err := dbsapi.ParseEndpoint(t.Endpoint); err != nil {
			return d.fail(key+".endpoint", err.Error())
		}
	} else if _, err := dbsapi.Endpoint(t.RegionID, t.Network); err != nil {
		return d.fail(key+".region_id", err.Error()+"; set endpoint if the region is new")
	}
	if err := d.checkCredentials(key+".credentials", &t.Credentials); err != nil {
		return err
	}
	if len(t.Plans) == 0 && !t.Discovery.Enabled {
		return d.fail(key+".plans", "want at least one plan, or discovery.enabled: true")
	}
	if err := d.checkDiscovery(key+".discovery", &t.Discovery); err != nil {
		return err
	}
	return d.checkPlans(key, t.Plans)
}

// minDiscoveryInterval keeps lists of plans, which are many pages, from eating the quota that polls need.
const minDiscoveryInterval = model.Duration(10 * time.Second)

func (d *document) checkDiscovery(key string, c *DiscoveryConfig) error {
	if c.Interval < minDiscoveryInterval {
		return d.fail(key+".interval", "want 10s at the least; the API's quota is shared by the whole account")
	}
	if c.Include.text == "" {
		return d.fail(key+".include", "matches no plan; leave the key out for all")
	}
	if len(c.Statuses) == 0 {
		return d.fail(key+".statuses", "want at least one; leave the key out for running")
	}
	for i, status := range c.Statuses {
		if !slices.Contains(planStatuses, status) {
			return d.fail(fmt.Sprintf("%s.statuses[%d]", key, i), "want "+strings.Join(planStatuses, ", "))
		}
	}
	return nil
}

func (d *document) checkPlans(key string, plans []PlanConfig) error {
	first := make(map[string]int)
	for i, p := range plans {
		planKey := fmt.Sprintf("%s.plans[%d]", key, i)
		switch other, twice := first[p.ID]; {
		case p.ID == "":
			return d.fail(planKey+".id", "is required, such as dbsqhnuhyw3abcd")
		case !planPattern.MatchString(p.ID):
			return d.fail(planKey+".id", "want the ID of one backup plan, such as dbsqhnuhyw3abcd")
		case twice:
			return d.fail(planKey+".id", fmt.Sprintf("is the plan of line %d again", d.line(fmt.Sprintf("%s.plans[%d].id", key, other))))
		case len(p.Name) > maxName:
			return d.fail(planKey+".name", "want at most 256 bytes")
		case d.has(planKey+".max_success_age") && p.MaxSuccessAge <= 0:
			return d.fail(planKey+".max_success_age", "want more than 0; leave the key out for no limit")
		}
		first[p.ID] = i
	}
	return nil
}
