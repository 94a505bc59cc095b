package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/dbsapi/credentials"
)

// identity is a certificate that is its own authority, in PEM.
type identity struct{ certificate, key string }

func newIdentity(t *testing.T) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return identity{
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})),
		string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded})),
	}
}

// serve serves temporary keys with an identity.
func (i identity) serve(t *testing.T) *httptest.Server {
	t.Helper()
	pair, err := tls.X509KeyPair([]byte(i.certificate), []byte(i.key))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"AccessKeyId":"a","AccessKeySecret":"b","SecurityToken":"c","Expiration":%q}`,
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// asks returns how the clients of a configuration ask a server, by what they ask
// for.
func asks(t *testing.T, c *config.Config) map[string]func(url string) error {
	t.Helper()
	api, err := c.NewHTTPClient(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := c.NewCredentialsTransport(nil)
	if err != nil {
		t.Fatal(err)
	}
	issuer := credentials.NewClient("test", transport)
	t.Cleanup(api.CloseIdleConnections)
	t.Cleanup(issuer.CloseIdleConnections)
	return map[string]func(string) error{
		"plans": func(url string) error {
			response, err := api.Get(url)
			if err == nil {
				response.Body.Close()
			}
			return err
		},
		"credentials": func(url string) error {
			_, err := issuer.URI(credentials.Given(url)).Get(t.Context())
			return err
		},
	}
}

// tlsFiles is the configuration of a client with files for all keys.
type tlsFiles struct{ ca, cert, key string }

func newTLSFiles(t *testing.T, authority, client identity) tlsFiles {
	t.Helper()
	dir := t.TempDir()
	f := tlsFiles{filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	writeFile(t, f.ca, authority.certificate)
	writeFile(t, f.cert, client.certificate)
	writeFile(t, f.key, client.key)
	return f
}

func (f tlsFiles) config() string {
	return good + "http_client: {tls_config: {ca_file: " + f.ca + ", cert_file: " + f.cert + ", key_file: " + f.key + "}}\n"
}

// An authority that takes the place of another is trusted at once, and the other
// no longer is, by the API's client and by the one for credentials.
func TestAuthorityIsReplaced(t *testing.T) {
	before, after := newIdentity(t), newIdentity(t)
	old, next := before.serve(t), after.serve(t)
	files := newTLSFiles(t, before, before)
	both := asks(t, parse(t, files.config()))
	trusts := func(when string, trusted, unknown *httptest.Server) {
		t.Helper()
		for what, ask := range both {
			if err := ask(trusted.URL); err != nil {
				t.Errorf("%s, %s: %v", when, what, err)
			}
			if err := ask(unknown.URL); err == nil || !strings.Contains(err.Error(), "unknown authority") {
				t.Errorf("%s, %s: the other authority gives %v", when, what, err)
			}
		}
	}
	trusts("before", old, next)
	writeFile(t, files.ca, after.certificate)
	trusts("after", next, old)
}

// A file that cannot be read, or should not be, fails the request, and the next
// one succeeds when the file is back. A FIFO would hold the request forever, and
// a large file takes all memory.
func TestCertificateFilesAreBounded(t *testing.T) {
	id := newIdentity(t)
	server := id.serve(t)
	spoil := map[string]func(path string) error{
		"missing": func(string) error { return nil },
		"FIFO":    func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"folder":  func(path string) error { return os.Mkdir(path, 0o700) },
		"1 GiB": func(path string) error {
			writeFile(t, path, "")
			return os.Truncate(path, 1<<30) // sparse
		},
	}
	for name, spoil := range spoil {
		for i, key := range []string{"ca_file", "cert_file", "key_file"} {
			t.Run(key+" "+name, func(t *testing.T) {
				files := newTLSFiles(t, id, id)
				path := []string{files.ca, files.cert, files.key}[i]
				ask := asks(t, parse(t, files.config()))["plans"]
				whole := path + ".whole"
				if err := os.Rename(path, whole); err != nil {
					t.Fatal(err)
				}
				if err := spoil(path); err != nil {
					t.Fatal(err)
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				if err := ask(server.URL); err == nil {
					t.Error("no error")
				}
				_, err := config.Parse([]byte(files.config()), "test.yml")
				runtime.ReadMemStats(&after)
				if want := "http_client.tls_config." + key + ": must be the path of a regular file of at most 1 MiB that can be read"; err == nil ||
					!strings.HasSuffix(err.Error(), want) {
					t.Errorf("configuration: %v", err)
				}
				if used := after.TotalAlloc - before.TotalAlloc; used > 32<<20 {
					t.Errorf("%d MiB were allocated", used>>20)
				}
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(whole, path); err != nil {
					t.Fatal(err)
				}
				if err := ask(server.URL); err != nil {
					t.Errorf("with the file back: %v", err)
				}
			})
		}
	}
}

// A request for credentials does not wait for a FIFO either, and its error says
// that a file is the cause, and not which.
func TestErrorOfCertificateFile(t *testing.T) {
	id := newIdentity(t)
	server := id.serve(t)
	files := newTLSFiles(t, id, id)
	ask := asks(t, parse(t, files.config()))["credentials"]
	if err := os.Remove(files.ca); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(files.ca, 0o600); err != nil {
		t.Fatal(err)
	}
	want := "read credentials URI at " + strings.TrimPrefix(server.URL, "https://") + ": a file of certificates or of their key cannot be read"
	if err := ask(server.URL); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
