// Package config reads the configuration file. A [Config] that it returns is
// valid as a whole, and is never changed.
package config

import (
	"time"

	promconfig "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v4"

	"aliyun_dbs_exporter/dbsapi"
)

// Config is a valid configuration.
type Config struct {
	// PollInterval is how often every plan is listed.
	PollInterval Duration `yaml:"poll_interval"`
	// PollTimeout is the time limit of one plan's poll, with all pages and
	// retries. It is at most PollInterval.
	PollTimeout Duration `yaml:"poll_timeout"`
	// StaleAfter is the age at which a plan's last listing is withdrawn.
	StaleAfter Duration `yaml:"stale_after"`
	// IdlePollInterval is how often plans are polled while none of their tasks is
	// expected to change. It is at least PollInterval.
	IdlePollInterval Duration `yaml:"idle_poll_interval"`
	// FullListingInterval is how often all tasks of a plan are read. The polls
	// between read what may have changed. Zero reads all with every poll.
	FullListingInterval Duration `yaml:"full_listing_interval"`
	// TaskSeries limits the series of single tasks.
	TaskSeries TaskSeries `yaml:"task_series"`
	// HTTPClient says how requests reach the API.
	HTTPClient HTTPClient `yaml:"http_client"`
	// Targets has at least one element. No two have the same account and
	// region.
	Targets []Target `yaml:"targets"`
}

// TaskSeries limits the series of single tasks, by age and by number.
type TaskSeries struct {
	Enabled bool `yaml:"enabled"`
	// CompletedWithin is how long a task keeps its series after it has ended.
	CompletedWithin Duration `yaml:"completed_within"`
	// MaxPerPlan and MaxTotal limit the tasks with series, of each plan and of
	// all plans.
	MaxPerPlan int `yaml:"max_per_plan"`
	MaxTotal   int `yaml:"max_total"`
}

// HTTPClient holds those of Prometheus' HTTP client options that fit requests
// with a signature. Values are comparable with ==.
type HTTPClient struct {
	ProxyURL             ProxyURL `yaml:"proxy_url,omitempty"`
	NoProxy              string   `yaml:"no_proxy,omitempty"`
	ProxyFromEnvironment bool     `yaml:"proxy_from_environment"`
	TLS                  TLS      `yaml:"tls_config,omitempty"`
}

// TLS says how the endpoint's certificate is verified, and which certificate is
// shown to a proxy that asks for one. Verification cannot be turned off: the
// server receives session tokens.
type TLS struct {
	CAFile     string `yaml:"ca_file,omitempty"`
	CertFile   string `yaml:"cert_file,omitempty"`
	KeyFile    string `yaml:"key_file,omitempty"`
	ServerName string `yaml:"server_name,omitempty"`
	// MinVersion is TLS12, TLS13, or empty for Go's default.
	MinVersion string `yaml:"min_version,omitempty"`
}

// Target is one Alibaba Cloud account in one region.
type Target struct {
	// Account is the value of the label "account".
	Account  string `yaml:"account"`
	RegionID string `yaml:"region_id"`
	// Network selects one of the region's endpoints.
	Network dbsapi.Network `yaml:"network"`
	// EndpointOverride replaces the endpoint that RegionID and Network select:
	// a host, host:port or URL. [Target.Endpoint] is the one to use.
	EndpointOverride string `yaml:"endpoint,omitempty"`
	// RequestsPerSecond is shared by all targets of the same [Quota].
	RequestsPerSecond     float64 `yaml:"requests_per_second"`
	MaxConcurrentRequests int     `yaml:"max_concurrent_requests"`
	// CredentialsBlock describes what [Target.Credentials] returns.
	CredentialsBlock CredentialsBlock `yaml:"credentials"`
	Plans            []Plan           `yaml:"plans,omitempty"`
	// Discovery finds plans in addition to those in Plans.
	Discovery Discovery `yaml:"discovery"`
	// Gateways lists the backup gateways that carry automatic downloads.
	Gateways Gateways `yaml:"gateways"`
}

// Plan is a backup plan to poll.
type Plan struct {
	ID   string `yaml:"id"`
	Name string `yaml:"name,omitempty"`
	// MaxSuccessAge is exported for the overdue alert; zero means no limit.
	MaxSuccessAge Duration `yaml:"max_success_age,omitempty"`
}

// Defaults of keys that depend on poll_interval.
const (
	defaultPollTimeout         = Duration(30 * time.Second)
	defaultStaleIntervals      = 5
	defaultFullListingInterval = Duration(30 * time.Minute)
)

// unset marks a duration that the file does not set. The file cannot: durations
// have no sign.
const unset Duration = -1

func defaultTaskSeries() TaskSeries {
	return TaskSeries{Enabled: true, CompletedWithin: Duration(24 * time.Hour), MaxPerPlan: 100, MaxTotal: 2000}
}

// UnmarshalYAML sets the defaults and reads the top of the file.
func (c *Config) UnmarshalYAML(node *yaml.Node) error {
	*c = Config{
		PollInterval:        Duration(time.Minute),
		PollTimeout:         unset,
		StaleAfter:          unset,
		IdlePollInterval:    unset,
		FullListingInterval: unset,
		TaskSeries:          defaultTaskSeries(),
	}
	type plain Config
	err := load(node, (*plain)(c), "poll_interval, poll_timeout, stale_after, idle_poll_interval, full_listing_interval, "+
		"task_series, http_client, targets")
	if err != nil {
		return err
	}
	if c.PollTimeout == unset {
		c.PollTimeout = min(defaultPollTimeout, c.PollInterval)
	}
	if c.IdlePollInterval == unset {
		c.IdlePollInterval = c.PollInterval
	}
	if c.StaleAfter == unset {
		c.StaleAfter = defaultStaleIntervals * c.IdlePollInterval
	}
	if c.FullListingInterval == unset {
		c.FullListingInterval = max(defaultFullListingInterval, c.PollInterval)
	}
	return nil
}

// UnmarshalYAML sets the defaults and reads a task_series block.
func (s *TaskSeries) UnmarshalYAML(node *yaml.Node) error {
	*s = defaultTaskSeries()
	type plain TaskSeries
	return load(node, (*plain)(s), "enabled, completed_within, max_per_plan, max_total")
}

// UnmarshalYAML reads an http_client block.
func (c *HTTPClient) UnmarshalYAML(node *yaml.Node) error {
	type plain HTTPClient
	return load(node, (*plain)(c), "proxy_url, no_proxy, proxy_from_environment, tls_config")
}

// UnmarshalYAML reads a tls_config block.
func (t *TLS) UnmarshalYAML(node *yaml.Node) error {
	type plain TLS
	return load(node, (*plain)(t), "ca_file, cert_file, key_file, server_name, min_version")
}

// UnmarshalYAML sets the defaults and reads a target.
func (t *Target) UnmarshalYAML(node *yaml.Node) error {
	*t = Target{
		Account:               "default",
		Network:               dbsapi.NetworkPublic,
		RequestsPerSecond:     5,
		MaxConcurrentRequests: 4,
		CredentialsBlock:      defaultCredentials(),
		Discovery:             defaultDiscovery(),
		Gateways:              defaultGateways(),
	}
	type plain Target
	return load(node, (*plain)(t), "account, region_id, network, endpoint, requests_per_second, max_concurrent_requests, "+
		"credentials, plans, discovery, gateways")
}

// UnmarshalYAML reads an element of plans.
func (p *Plan) UnmarshalYAML(node *yaml.Node) error {
	type plain Plan
	return load(node, (*plain)(p), "id, name, max_success_age")
}

// setDirectory makes the relative paths of a configuration start from the
// directory of its file.
func (c *Config) setDirectory(dir string) {
	tls := &c.HTTPClient.TLS
	for _, path := range []*string{&tls.CAFile, &tls.CertFile, &tls.KeyFile} {
		*path = promconfig.JoinDir(dir, *path)
	}
	for i := range c.Targets {
		block := &c.Targets[i].CredentialsBlock
		*block = block.inDirectory(dir)
	}
}
