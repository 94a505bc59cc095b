package config

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"

	promconfig "github.com/prometheus/common/config"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

// maxPEM bounds a file of certificates or of a key, which is read for every
// request. All public authorities together, as Debian has them, are 220 kB.
const maxPEM = 1 << 20

// pemFile is the path of a file of certificates or of a key. Prometheus' own
// reader takes files of any size, and waits at a FIFO for a writer.
type pemFile string

// Fetch reads the file.
func (f pemFile) Fetch(context.Context) (string, error) {
	text, err := credentials.ReadFile(string(f), maxPEM)
	return string(text), err
}

// Description says which file it is.
func (f pemFile) Description() string { return "file " + string(f) }

// Immutable returns false: the file may change.
func (pemFile) Immutable() bool { return false }

// pemFiles reads the files that [HTTPClient.options] refers to.
type pemFiles struct{}

// Fetch reads the file of a path.
func (pemFiles) Fetch(ctx context.Context, path string) (string, error) {
	return pemFile(path).Fetch(ctx)
}

// errTLSConfig holds nothing of the library's error, which may repeat a file.
var errTLSConfig = errors.New("http_client.tls_config: cannot create a client from these options")

// newTLSConfig returns what the files have now. Client certificates are read
// again for every connection.
func newTLSConfig(options *promconfig.TLSConfig) (*tls.Config, error) {
	return promconfig.NewTLSConfig(options, promconfig.WithSecretManager(pemFiles{}))
}

// newRoundTripper returns a round tripper that makes another transport when the
// files change.
func newRoundTripper(
	options *promconfig.TLSConfig, newTransport func(*tls.Config) *http.Transport,
) (http.RoundTripper, error) {
	tlsConfig, err := newTLSConfig(options)
	if err != nil {
		return nil, errTLSConfig
	}
	var files promconfig.TLSRoundTripperSettings
	if options.CARef != "" {
		files.CA = pemFile(options.CARef)
	}
	if options.CertRef != "" {
		files.Cert, files.Key = pemFile(options.CertRef), pemFile(options.KeyRef)
	}
	roundTripper, err := promconfig.NewTLSRoundTripper(tlsConfig, files, func(c *tls.Config) (http.RoundTripper, error) {
		return newTransport(c), nil
	})
	if err != nil {
		return nil, errTLSConfig
	}
	return roundTripper, nil
}
