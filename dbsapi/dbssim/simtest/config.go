package simtest

import (
	"cmp"
	"strconv"
	"strings"
)

// Secrets of the simulated account of tests. They are marks: no output may hold
// them.
const (
	KeyID     = "LTAI-key-mark"
	KeySecret = "secret-mark"
	KeyToken  = "token-mark"
)

// Config describes a configuration file. Its zero value has no target.
type Config struct {
	// Top are lines for the top of the file, such as "poll_interval: 10s".
	Top     string
	Targets []Target
}

// Target describes a target. Fields that are zero have defaults that let a
// simulated account be polled fast.
type Target struct {
	Account  string
	RegionID string
	// Endpoint is any host; a [Network] answers under every address.
	Endpoint    string
	Rate        float64
	Concurrency int
	// KeyID, KeySecret and KeyToken are those of the marked account.
	KeyID, KeySecret, KeyToken string
	// Credentials is the whole credentials block in one line, in the place of
	// the marked account's key.
	Credentials string
	// Plans are the inner parts of plan blocks, such as "dbsa, name: orders".
	Plans []string
	// Discovery has the lines of the discovery block, "enabled: true" among
	// them; empty leaves the block out.
	Discovery []string
	// Gateways has those of the gateways block.
	Gateways []string
}

// Plans returns the configuration of one target with these plans.
func Plans(top string, plans ...string) Config {
	return Config{Top: top, Targets: []Target{{Plans: plans}}}
}

// String returns the text of the file.
func (c Config) String() string {
	var b strings.Builder
	b.WriteString(c.Top + "\ntargets:\n")
	for _, t := range c.Targets {
		t.write(&b)
	}
	return b.String()
}

func (t Target) write(b *strings.Builder) {
	line := func(indent int, text string) { b.WriteString(strings.Repeat(" ", indent) + text + "\n") }
	line(2, "- account: "+cmp.Or(t.Account, "acme"))
	line(4, "region_id: "+cmp.Or(t.RegionID, "cn-hangzhou"))
	line(4, "endpoint: "+cmp.Or(t.Endpoint, "http://127.0.0.1:1"))
	line(4, "requests_per_second: "+strconv.FormatFloat(cmp.Or(t.Rate, 1000), 'g', -1, 64))
	line(4, "max_concurrent_requests: "+strconv.Itoa(cmp.Or(t.Concurrency, 1)))
	if t.Credentials != "" {
		line(4, "credentials: "+t.Credentials)
	} else {
		line(4, "credentials:")
		line(6, "type: sts")
		line(6, "access_key_id: "+cmp.Or(t.KeyID, KeyID))
		line(6, "access_key_secret: "+cmp.Or(t.KeySecret, KeySecret))
		line(6, "security_token: "+cmp.Or(t.KeyToken, KeyToken))
	}
	if len(t.Plans) > 0 {
		line(4, "plans:")
	}
	for _, plan := range t.Plans {
		line(6, "- {id: "+plan+"}")
	}
	block := func(name string, keys []string) {
		if len(keys) > 0 {
			line(4, name+":")
		}
		for _, key := range keys {
			line(6, key)
		}
	}
	block("discovery", t.Discovery)
	block("gateways", t.Gateways)
}
