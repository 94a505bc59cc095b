package config

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"

	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/version"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/credentials"
)

const (
	// maxHeader bounds the header of a response, of which DBS sends less than a
	// kilobyte; net/http would read 10 MiB.
	maxHeader = 64 << 10
	// connectTimeout bounds the steps before a request: a connection that does not
	// come must leave time for another attempt.
	connectTimeout = 10 * time.Second
)

// NewHTTPClient returns an HTTP client for the API with the options of
// http_client. A nil dial means the network. Certificate files are read again
// when they change.
//
// It speaks HTTP/1.1, with which the gateway was measured. Idle connections are
// closed before the gateway closes them, so that no request is lost on a closed
// one.
func (c *Config) NewHTTPClient(dial promconfig.DialContextFunc) (*http.Client, error) {
	if dial == nil {
		dial = (&net.Dialer{Timeout: connectTimeout}).DialContext
	}
	options := c.HTTPClient.options()
	transport, err := newRoundTripper(&options.TLSConfig, func(tlsConfig *tls.Config) *http.Transport {
		return &http.Transport{
			Proxy:                  credentials.ProxyExceptLocal(options.Proxy()),
			DialContext:            dial,
			TLSClientConfig:        tlsConfig,
			TLSHandshakeTimeout:    connectTimeout,
			IdleConnTimeout:        dbsapi.IdleConnTimeout,
			MaxIdleConnsPerHost:    maxConcurrency,
			MaxResponseHeaderBytes: maxHeader,
			DisableCompression:     true,
		}
	})
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: transport}, nil
}

// NewCredentialsTransport returns a transport for requests for credentials: it
// trusts the authorities of http_client, also when their file changes, and uses
// its proxy. A nil dial means the network.
func (c *Config) NewCredentialsTransport(dial promconfig.DialContextFunc) (http.RoundTripper, error) {
	options := c.HTTPClient.options()
	options.TLSConfig.ServerName = "" // it is the API's
	return newRoundTripper(&options.TLSConfig, func(tlsConfig *tls.Config) *http.Transport {
		return credentials.NewTransport(credentials.Options{TLS: tlsConfig, Proxy: options.Proxy(), Dial: dial})
	})
}

// UserAgent tells Alibaba Cloud's support which program called.
func UserAgent() string { return "aliyun_dbs_exporter/" + version.Version }

// options translates valid options into those of Prometheus' client. Files are
// references there, so that [pemFiles] reads them.
func (c *HTTPClient) options() promconfig.HTTPClientConfig {
	options := promconfig.HTTPClientConfig{
		ProxyConfig: promconfig.ProxyConfig{NoProxy: c.NoProxy, ProxyFromEnvironment: c.ProxyFromEnvironment},
		TLSConfig: promconfig.TLSConfig{
			CARef:      c.TLS.CAFile,
			CertRef:    c.TLS.CertFile,
			KeyRef:     c.TLS.KeyFile,
			ServerName: c.TLS.ServerName,
			MinVersion: promconfig.TLSVersions[c.TLS.MinVersion],
		},
	}
	if proxy, err := c.ProxyURL.parse(); err == nil {
		options.ProxyURL = promconfig.URL{URL: proxy}
	}
	return options
}

// Endpoint returns the host, host:port or URL of the API for a target.
func (t *Target) Endpoint() string {
	if t.EndpointOverride != "" {
		return t.EndpointOverride
	}
	host, _ := dbsapi.Endpoint(t.RegionID, t.Network) // validated
	return host
}

// Quota identifies a request quota of the API. Targets of the same quota share
// it, even in different regions.
type Quota struct {
	Account string
	// Endpoint is a host or host:port.
	Endpoint string
}

// Quota returns the quota that a target's requests count against.
func (t *Target) Quota() Quota { return Quota{Account: t.Account, Endpoint: hostOf(t.Endpoint())} }

// hostOf returns the host of a valid endpoint.
func hostOf(endpoint string) string {
	u, err := dbsapi.ParseEndpoint(endpoint)
	if err != nil {
		return "" // not in a valid configuration
	}
	return u.Host
}

// SameIdentity reports whether two targets ask the same endpoint with the same
// credentials, so that both see the same plans.
func (t *Target) SameIdentity(other *Target) bool {
	return t.Endpoint() == other.Endpoint() && t.CredentialsBlock == other.CredentialsBlock
}

// Rates returns the requests per second of each quota: the lowest that one of
// its targets sets.
func (c *Config) Rates() map[Quota]float64 {
	rates := make(map[Quota]float64)
	for i := range c.Targets {
		t := &c.Targets[i]
		quota := t.Quota()
		if rate, ok := rates[quota]; !ok || t.RequestsPerSecond < rate {
			rates[quota] = t.RequestsPerSecond
		}
	}
	return rates
}
