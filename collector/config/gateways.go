package config

import (
	"time"

	"go.yaml.in/yaml/v4"
)

// Gateways says whether the backup gateways of a target are listed.
type Gateways struct {
	Enabled bool `yaml:"enabled"`
	// Interval is how often they are listed.
	Interval Duration `yaml:"interval"`
}

func defaultGateways() Gateways { return Gateways{Interval: Duration(time.Minute)} }

// UnmarshalYAML sets the defaults and reads a gateways block.
func (g *Gateways) UnmarshalYAML(node *yaml.Node) error {
	*g = defaultGateways()
	type plain Gateways
	return load(node, (*plain)(g), "enabled, interval")
}
