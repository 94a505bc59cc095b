package dbsapi_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// authority signs certificates of test servers.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{certificate, key}
}

// pool trusts the authority.
func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// server is the configuration of a server with a certificate for a host from
// one time to another.
func (a authority) server(t *testing.T, host string, from, to time.Time) *tls.Config {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{host}, NotBefore: from, NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: a.key}}}
}

func TestHostileTLS(t *testing.T) {
	const host = "dbs.example"
	tests := []struct {
		hostile
		// config changes the good configuration of a server.
		config func(t *testing.T, a authority, good *tls.Config) *tls.Config
		// raw takes the place of TLS.
		raw func(c net.Conn)
	}{
		{hostile: hostile{name: "good", requests: 1}},
		{
			hostile: hostile{name: "unknown authority", want: "network: the server's certificate is signed by an unknown authority", requests: 1},
			config: func(t *testing.T, _ authority, _ *tls.Config) *tls.Config {
				return newAuthority(t).server(t, host, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
			},
		},
		{
			hostile: hostile{name: "other host", want: "network: the server's certificate is for another host", requests: 1},
			config: func(t *testing.T, a authority, _ *tls.Config) *tls.Config {
				return a.server(t, "elsewhere.example", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
			},
		},
		{
			hostile: hostile{name: "expired", want: "network: the server's certificate is not valid", requests: 1},
			config: func(t *testing.T, a authority, _ *tls.Config) *tls.Config {
				return a.server(t, host, time.Now().Add(-time.Hour), time.Now().Add(-time.Minute))
			},
		},
		{
			hostile: hostile{name: "not yet valid", want: "network: the server's certificate is not valid", requests: 1},
			config: func(t *testing.T, a authority, _ *tls.Config) *tls.Config {
				return a.server(t, host, time.Now().Add(time.Minute), time.Now().Add(time.Hour))
			},
		},
		{
			hostile: hostile{name: "TLS 1.1", want: failed, requests: 4},
			config: func(_ *testing.T, _ authority, good *tls.Config) *tls.Config {
				good.MinVersion, good.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
				return good
			},
		},
		{
			hostile: hostile{name: "wants a certificate of the client", want: failed, requests: 4},
			config: func(_ *testing.T, _ authority, good *tls.Config) *tls.Config {
				good.ClientAuth = tls.RequireAnyClientCert
				return good
			},
		},
		{hostile: hostile{name: "plain HTTP", want: "network: the server does not speak TLS", requests: 1}, raw: func(c net.Conn) { c.Read(make([]byte, 4096)); (&conn{Conn: c}).send(ok(oneRow)) }},
		{
			hostile: hostile{name: "no TLS", want: "network: the server does not speak TLS", requests: 1},
			raw:     func(c net.Conn) { c.Read(make([]byte, 4096)); (&conn{Conn: c}).send("220 mail.example ESMTP\r\n") },
		},
		{hostile: hostile{name: "closed in the handshake", want: failed, requests: 4}, raw: func(c net.Conn) { c.Read(make([]byte, 64)) }},
		{hostile: hostile{name: "silence in the handshake", want: outOfTime, requests: 3}, raw: func(c net.Conn) { hang(&conn{c, bufio.NewReader(c)}) }},
		{hostile: hostile{name: "closed before the handshake", want: failed, requests: 4}, raw: func(net.Conn) {}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(t)
				config := a.server(t, host, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
				if tt.config != nil {
					config = tt.config(t, a, config)
				}
				tt.run(t, &tls.Config{RootCAs: a.pool(), ServerName: host}, func(c net.Conn) {
					if tt.raw != nil {
						tt.raw(c)
						return
					}
					secure := tls.Server(c, config)
					defer secure.Close()
					if s := (&conn{secure, bufio.NewReader(secure)}); s.request() {
						s.send(ok(oneRow))
					}
				})
			})
		})
	}
}
