package collector

import (
	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/version"

	"aliyun_dbs_exporter/dbsapi"
)

// options returns the client options that a configuration stands for.
func (c *HTTPClientConfig) options() promconfig.HTTPClientConfig {
	return promconfig.HTTPClientConfig{
		ProxyConfig: promconfig.ProxyConfig{
			ProxyURL: c.ProxyURL, NoProxy: c.NoProxy, ProxyFromEnvironment: c.ProxyFromEnvironment,
		},
		TLSConfig: promconfig.TLSConfig{
			CAFile:     c.TLSConfig.CAFile,
			CertFile:   c.TLSConfig.CertFile,
			KeyFile:    c.TLSConfig.KeyFile,
			ServerName: c.TLSConfig.ServerName,
			MinVersion: c.TLSConfig.MinVersion,
		},
	}
}

// endpoint returns the host or URL that a checked target is polled at.
func (t *TargetConfig) endpoint() string {
	if t.Endpoint != "" {
		return t.Endpoint
	}
	host, _ := dbsapi.Endpoint(t.RegionID, t.Network) // checked when the configuration was loaded
	return host
}

// userAgent tells Alibaba Cloud's support who called.
func userAgent() string { return "aliyun_dbs_exporter/" + version.Version }
