package collector

import (
	"path/filepath"
	"reflect"
	"time"

	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"

	"aliyun_dbs_exporter/dbsapi"
)

// Config is a validated configuration file. It is not changed after [LoadConfig] returns it.
type Config struct {
	// PollInterval is how often every plan is listed.
	PollInterval model.Duration `yaml:"poll_interval"`
	// PollTimeout is the budget of one plan's poll, all pages and retries; at most PollInterval.
	PollTimeout model.Duration `yaml:"poll_timeout"`
	// StaleAfter is for how long the last good listing of a plan whose polls fail stays published.
	StaleAfter model.Duration `yaml:"stale_after"`
	// TaskSeries limits the series of single tasks.
	TaskSeries TaskSeriesConfig `yaml:"task_series"`
	// HTTPClient is how API calls leave.
	HTTPClient HTTPClientConfig `yaml:"http_client"`
	// Targets has at least one element.
	Targets []TargetConfig `yaml:"targets"`
}

// TaskSeriesConfig limits the series of single tasks, by age and by count.
type TaskSeriesConfig struct {
	Enabled bool `yaml:"enabled"`
	// CompletedWithin is for how long an ended task keeps its series.
	CompletedWithin model.Duration `yaml:"completed_within"`
	// MaxPerPlan and MaxTotal are the most tasks with series, of one plan and of all.
	MaxPerPlan int `yaml:"max_per_plan"`
	MaxTotal   int `yaml:"max_total"`
}

// HTTPClientConfig is the part of Prometheus' HTTP client options that fits signed calls.
type HTTPClientConfig struct {
	ProxyURL             promconfig.URL `yaml:"proxy_url,omitempty"`
	NoProxy              string         `yaml:"no_proxy,omitempty"`
	ProxyFromEnvironment bool           `yaml:"proxy_from_environment"`
	TLSConfig            TLSConfig      `yaml:"tls_config,omitempty"`
}

// TLSConfig is how the endpoint's certificate is checked, and what is shown to a proxy that asks for one. Switching
// the check off is not on offer: session tokens would go to whoever answers.
type TLSConfig struct {
	CAFile     string                `yaml:"ca_file,omitempty"`
	CertFile   string                `yaml:"cert_file,omitempty"`
	KeyFile    string                `yaml:"key_file,omitempty"`
	ServerName string                `yaml:"server_name,omitempty"`
	MinVersion promconfig.TLSVersion `yaml:"min_version,omitempty"`
}

// TargetConfig is one Alibaba Cloud account in one region.
type TargetConfig struct {
	// Account is the label value that stands for the account.
	Account  string `yaml:"account"`
	RegionID string `yaml:"region_id"`
	// Network picks the region's endpoint.
	Network dbsapi.Network `yaml:"network"`
	// Endpoint overrides region and network: a host, host:port or URL.
	Endpoint string `yaml:"endpoint,omitempty"`
	// RequestsPerSecond is shared by all targets with the same account and endpoint, as the quota is.
	RequestsPerSecond     float64           `yaml:"requests_per_second"`
	MaxConcurrentRequests int               `yaml:"max_concurrent_requests"`
	Credentials           CredentialsConfig `yaml:"credentials"`
	Plans                 []PlanConfig      `yaml:"plans,omitempty"`
	// Discovery finds more plans than those that are listed.
	Discovery DiscoveryConfig `yaml:"discovery"`
}

// PlanConfig is a backup plan to poll.
type PlanConfig struct {
	ID   string `yaml:"id"`
	Name string `yaml:"name,omitempty"`
	// MaxSuccessAge is published for the overdue alert; zero means none.
	MaxSuccessAge model.Duration `yaml:"max_success_age,omitempty"`
}

func (c *Config) setDefaults() {
	c.PollInterval = model.Duration(time.Minute)
	c.TaskSeries.setDefaults()
}

func (c *TaskSeriesConfig) setDefaults() {
	*c = TaskSeriesConfig{Enabled: true, CompletedWithin: model.Duration(24 * time.Hour), MaxPerPlan: 100, MaxTotal: 2000}
}

func (c *TargetConfig) setDefaults() {
	*c = TargetConfig{
		Account:               "default",
		Network:               dbsapi.NetworkPublic,
		RequestsPerSecond:     5,
		MaxConcurrentRequests: 4,
		Credentials:           CredentialsConfig{Type: CredentialsDefault},
	}
	c.Discovery.setDefaults()
}

// The default of poll_timeout, and that of stale_after in poll intervals.
const (
	defaultPollTimeout    = 30 * time.Second
	defaultStaleIntervals = 5
)

// setDerivedDefaults sets what depends on other keys.
func (c *Config) setDerivedDefaults() {
	if c.PollTimeout == 0 {
		c.PollTimeout = min(model.Duration(defaultPollTimeout), c.PollInterval)
	}
	if c.StaleAfter == 0 {
		c.StaleAfter = defaultStaleIntervals * c.PollInterval
	}
}

// resolvePaths makes the paths of a configuration relative to its file.
func (c *Config) resolvePaths(dir string) {
	for _, path := range []*string{&c.HTTPClient.TLSConfig.CAFile, &c.HTTPClient.TLSConfig.CertFile, &c.HTTPClient.TLSConfig.KeyFile} {
		*path = promconfig.JoinDir(dir, *path)
	}
	for i := range c.Targets {
		c.Targets[i].Credentials.resolvePaths(dir)
	}
}

// leafWants says, for every type of a single value, what a bad one should have been.
var leafWants = map[reflect.Type]string{
	reflect.TypeFor[string]():                "a text",
	reflect.TypeFor[promconfig.Secret]():     "a text",
	reflect.TypeFor[CredentialsType]():       "a text",
	reflect.TypeFor[dbsapi.Network]():        "public or vpc",
	reflect.TypeFor[bool]():                  "true or false",
	reflect.TypeFor[int]():                   "a whole number",
	reflect.TypeFor[float64]():               "a number",
	reflect.TypeFor[model.Duration]():        "a duration such as 30s, 5m or 1d",
	reflect.TypeFor[promconfig.URL]():        "a URL such as http://proxy.example:3128",
	reflect.TypeFor[promconfig.TLSVersion](): "TLS12 or TLS13",
	reflect.TypeFor[Pattern]():               "a regular expression such as prod-.*",
}

// configDir is the directory that the relative paths of a configuration file start from.
func configDir(file string) string { return filepath.Dir(file) }
