package collector

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/go-kit/log"
	promconfig "github.com/prometheus/common/config"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/credentials"
)

// applied is a configuration in use. It is not changed once it is published.
type applied struct {
	config   *Config
	targets  []*target
	limiters map[quota]*dbsapi.Limiter
}

// quota is what shares one request quota of the API.
type quota struct{ account, endpoint string }

func (a *applied) target(account, region string) *target {
	for _, t := range a.targets {
		if t.account == account && t.region == region {
			return t
		}
	}
	return nil
}

// Apply replaces the configuration in use. Whatever can fail happens first, so that after an error everything goes on
// as before. Plans that stay keep their data, counters and schedule; new ones are polled at once; those that are gone
// take their series along.
func (c *Collector) Apply(config *Config) error {
	c.applying.Lock()
	defer c.applying.Unlock()
	old := c.applied.Load()
	limiters := newLimiters(config, old)
	all, err := c.newSettings(config, old, limiters)
	if err != nil {
		c.LoadFailed(err)
		return err
	}

	next := &applied{config: config, limiters: limiters}
	for i := range config.Targets {
		tc := &config.Targets[i]
		t := old.target(tc.Account, tc.RegionID)
		if t == nil {
			t = c.newTarget(tc)
		}
		if tc.Discovery.Enabled {
			t.instruments.plans.Store(c.instruments.call(tc.Account, tc.RegionID, dbsapi.ActionBackupPlans))
		}
		t.update(all[i])
		next.targets = append(next.targets, t)
	}
	for key, rate := range rates(config) {
		limiters[key].SetRequestsPerSecond(rate)
	}
	c.applied.Store(next)
	proxy := config.HTTPClient.options().ProxyConfig
	credentials.SetProxy(proxy.Proxy())
	for _, t := range old.targets {
		if next.target(t.account, t.region) == nil {
			c.instruments.forget(t.account, t.region)
		}
	}
	c.reload.Store(&reloadState{ok: true, goodAt: time.Now()})
	signal(c.changed)
	c.logBudget()
	return nil
}

// LoadFailed notes why a configuration could not be loaded, for the reload metrics and the status page.
func (c *Collector) LoadFailed(err error) {
	c.reload.Store(&reloadState{goodAt: c.reload.Load().goodAt, err: err})
}

// newSettings builds what the targets of a configuration need, in their order. What is configured as before is taken
// over: credentials with the session tokens that they hold, clients with their open connections.
func (c *Collector) newSettings(config *Config, old *applied, limiters map[quota]*dbsapi.Limiter) ([]*settings, error) {
	sameHTTP := old.config != nil && reflect.DeepEqual(old.config.HTTPClient, config.HTTPClient)
	newClient, err := c.clientBuilder(config, limiters)
	if err != nil {
		return nil, err
	}
	var all []*settings
	for i := range config.Targets {
		tc := &config.Targets[i]
		s := &settings{
			config:   tc,
			interval: time.Duration(config.PollInterval),
			timeout:  time.Duration(config.PollTimeout),
			series:   config.TaskSeries,
		}
		if t := old.target(tc.Account, tc.RegionID); t != nil {
			before := t.settings.Load()
			if reflect.DeepEqual(before.config.Credentials, tc.Credentials) {
				s.credentials = before.credentials
			}
			if sameHTTP && s.credentials != nil && before.config.endpoint() == tc.endpoint() {
				s.client = before.client
			}
		}
		if s.credentials == nil {
			s.credentials = tc.Credentials.provider()
		}
		if s.client == nil {
			if s.client, err = newClient(tc, s.credentials); err != nil {
				return nil, fmt.Errorf("target %s in %s: %w", tc.Account, tc.RegionID, err)
			}
		}
		all = append(all, s)
	}
	return all, nil
}

// clientBuilder returns a function that makes the API clients of a configuration, which share their connections.
func (c *Collector) clientBuilder(config *Config, limiters map[quota]*dbsapi.Limiter) (func(*TargetConfig, credentials.Provider) (*dbsapi.Client, error), error) {
	// Idle connections end before the gateway closes them; else a request is lost to find out. HTTP/1.1 is what the
	// gateway was measured with.
	options := []promconfig.HTTPClientOption{promconfig.WithIdleConnTimeout(dbsapi.IdleConnTimeout), promconfig.WithHTTP2Disabled()}
	if c.options.Dial != nil {
		options = append(options, promconfig.WithDialContextFunc(c.options.Dial))
	}
	httpClient, err := promconfig.NewClientFromConfig(config.HTTPClient.options(), "dbs", options...)
	if err != nil {
		return nil, errors.New("http_client: these options do not make a client")
	}
	return func(tc *TargetConfig, provider credentials.Provider) (*dbsapi.Client, error) {
		return dbsapi.New(dbsapi.Options{
			Endpoint:    tc.endpoint(),
			Credentials: provider,
			HTTPClient:  httpClient,
			Limiter:     limiters[tc.quota()],
			Observe:     c.observer(tc),
			UserAgent:   userAgent(),
		})
	}, nil
}

// observer counts the attempts of a target's client, for as long as the target is there.
func (c *Collector) observer(tc *TargetConfig) func(dbsapi.Attempt) {
	account, region := tc.Account, tc.RegionID
	return func(a dbsapi.Attempt) {
		if t := c.applied.Load().target(account, region); t != nil {
			t.instruments.observe(a)
		}
	}
}

func (c *Collector) newTarget(tc *TargetConfig) *target {
	t := &target{
		account:     tc.Account,
		region:      tc.RegionID,
		logger:      log.With(c.logger, "account", tc.Account, "region_id", tc.RegionID),
		instruments: c.instruments.target(tc.Account, tc.RegionID),
		onPoll:      c.options.OnPoll,
		unknown:     &c.unknown,
		shard:       c.options.Shard,
		changed:     make(chan struct{}, 1),

		reconfigured: make(chan struct{}, 1),
		logBudget:    c.logBudget,
	}
	t.plans.Store(new([]*plan))
	t.alive()
	return t
}

func (t *TargetConfig) quota() quota {
	u, err := dbsapi.ParseEndpoint(t.endpoint())
	if err != nil {
		return quota{account: t.Account} // not in a checked configuration
	}
	return quota{account: t.Account, endpoint: u.Host}
}

// rates returns the request rate of each quota: the lowest of those that its targets ask for.
func rates(config *Config) map[quota]float64 {
	rates := make(map[quota]float64)
	for i := range config.Targets {
		t := &config.Targets[i]
		if rate, ok := rates[t.quota()]; !ok || t.RequestsPerSecond < rate {
			rates[t.quota()] = t.RequestsPerSecond
		}
	}
	return rates
}

// newLimiters returns a limiter for each quota. Those in use are kept, with the pauses that the server asked for.
func newLimiters(config *Config, old *applied) map[quota]*dbsapi.Limiter {
	limiters := make(map[quota]*dbsapi.Limiter)
	for key, rate := range rates(config) {
		limiters[key] = old.limiters[key]
		if limiters[key] == nil {
			limiters[key] = dbsapi.NewLimiter(rate)
		}
	}
	return limiters
}
