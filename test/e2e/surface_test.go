package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"aliyun_dbs_exporter/dbsapi/dbssim"

	"test/internal/exporter"
)

// The user of the web configuration file; the hash is bcrypt's of the password at its lowest cost.
const (
	webUser         = "prometheus"
	webPassword     = "web-password-mark"
	webPasswordHash = "$2a$04$URp.SMRpIB9/QTcQ/MA4Kexv6zWdqPOkgm26uKtlQQvFGr9bDrYuC"
)

// certificate is one that signed itself, with its files.
type certificate struct {
	pool         *x509.CertPool
	pair         tls.Certificate
	files        string // lines of tls_server_config
	caFile       string
	certPEM, key []byte
}

func newCertificate(t *testing.T) *certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "exporter"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c := &certificate{pool: x509.NewCertPool()}
	c.certPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	c.key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	if c.pair, err = tls.X509KeyPair(c.certPEM, c.key); err != nil {
		t.Fatal(err)
	}
	c.pool.AppendCertsFromPEM(c.certPEM)
	c.caFile = exporter.WriteFile(t, "cert.pem", string(c.certPEM))
	c.files = "  cert_file: " + c.caFile + "\n  key_file: " + exporter.WriteFile(t, "key.pem", string(c.key)) + "\n"
	return c
}

// surface is an exporter with everything switched on, behind a web configuration file.
type surface struct {
	*exporter.Process
	t    *testing.T
	cert *certificate
	tls  bool
	auth bool
}

func newSurface(t *testing.T, useTLS, useAuth bool, more string) *surface {
	t.Helper()
	s := &surface{t: t, cert: newCertificate(t), tls: useTLS, auth: useAuth}
	scheme, file := "http", ""
	if useTLS {
		scheme, file = "https", "tls_server_config:\n"+s.cert.files
	}
	if useAuth {
		file += "basic_auth_users: {" + webUser + ": " + webPasswordHash + "}\n"
	}
	e := newEndpoint(t, dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(finished(3)...)})
	s.Process = exporter.Start(t, exporter.Options{
		Config: e.config("", "dbsa, name: plan-name-mark", "dbsgone"),
		Args:   []string{"--web.enable-lifecycle", "--web.enable-pprof", "--web.config.file=" + exporter.WriteFile(t, "web.yml", file+more)},
		Scheme: scheme,
	})
	return s
}

// client speaks one version of HTTP only.
func (s *surface) client(http2 bool) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	protocols.SetUnencryptedHTTP2(http2 && !s.tls)
	transport := &http.Transport{Protocols: protocols, TLSClientConfig: &tls.Config{RootCAs: s.cert.pool}}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ask returns an answer with its body read.
func (s *surface) ask(c *http.Client, method, path string, authorize func(*http.Request)) (*http.Response, string, error) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	authorize(r)
	response, err := c.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response, string(body), err
}

func nobody(*http.Request)       {}
func operator(r *http.Request)   { r.SetBasicAuth(webUser, webPassword) }
func header(v string) identified { return func(r *http.Request) { r.Header.Set("Authorization", v) } }

type identified = func(*http.Request)

// surfacePaths are what the exporter has, and some that it has not, with the answer to one who may ask, and a part of it.
var surfacePaths = []struct {
	method, path string
	code         int
	part         string
}{
	{"GET", "/", 200, "plan-name-mark"},
	{"GET", "/?q=plan-name-mark&show=failing", 200, "No plan matches."},
	{"GET", "/api/v1/status", 200, `"plan_name":"plan-name-mark"`},
	{"GET", "/static/status.css", 200, "prefers-color-scheme"},
	{"GET", "/metrics", 200, `plan_name="plan-name-mark"`},
	{"GET", "/-/healthy", 200, "healthy"},
	{"GET", "/-/ready", 200, "ready"},
	{"POST", "/-/reload", 200, "Configuration loaded."},
	{"GET", "/-/reload", 405, ""},
	{"GET", "/debug/pprof/", 200, "goroutine"},
	{"GET", "/debug/pprof/cmdline", 200, "--web.config.file"},
	{"GET", "/debug/pprof/heap?debug=1", 200, "heap profile"},
	{"GET", "/unknown", 404, ""},
	{"GET", "//metrics", 307, ""},
	{"DELETE", "/metrics", 405, ""},
	{"OPTIONS", "/", 405, ""},
}

// strangers are those who may not ask.
var strangers = map[string]identified{
	"nobody":         nobody,
	"wrong password": func(r *http.Request) { r.SetBasicAuth(webUser, "guess") },
	"no password":    func(r *http.Request) { r.SetBasicAuth(webUser, "") },
	"wrong user":     func(r *http.Request) { r.SetBasicAuth("root", webPassword) },
	"hash":           func(r *http.Request) { r.SetBasicAuth(webUser, webPasswordHash) },
	"bearer":         header("Bearer " + webPassword),
	"no base64":      header("Basic %%%"),
}

// TLS or not, with passwords or not, over each version of HTTP: who may ask gets every page, and who may not gets
// nothing of any.
func TestSurface(t *testing.T) {
	t.Parallel()
	for _, useTLS := range []bool{false, true} {
		for _, useAuth := range []bool{false, true} {
			name := map[bool]string{false: "plain", true: "TLS"}[useTLS] + map[bool]string{false: ", open", true: ", password"}[useAuth]
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := newSurface(t, useTLS, useAuth, "")
				expectPolled(s)
				for _, http2 := range []bool{false, true} {
					s.check(http2)
				}
			})
		}
	}
}

// expectPolled waits for the first polls.
func expectPolled(s *surface) {
	s.t.Helper()
	c := s.client(false)
	exporter.Eventually(s.t, func() error {
		response, _, err := s.ask(c, http.MethodGet, "/-/ready", operator)
		if err == nil && response.StatusCode != http.StatusOK {
			err = errors.New("not ready")
		}
		return err
	})
}

func (s *surface) check(http2 bool) {
	s.t.Helper()
	c, proto := s.client(http2), "HTTP/1.1"
	if http2 {
		proto = "HTTP/2.0"
		if !s.tls {
			if response, _, err := s.ask(c, http.MethodGet, "/metrics", operator); err == nil && response.StatusCode == http.StatusOK {
				s.t.Errorf("HTTP/2 without TLS is spoken, which nothing here is meant to do")
			}
			return
		}
	}
	for _, p := range surfacePaths {
		response, body, err := s.ask(c, p.method, p.path, operator)
		switch {
		case err != nil:
			s.t.Errorf("%s %s over %s: %v", p.method, p.path, proto, err)
		case response.StatusCode != p.code || !strings.Contains(body, p.part) || response.Proto != proto:
			s.t.Errorf("%s %s over %s: %s over %s: %.200s", p.method, p.path, proto, response.Status, response.Proto, body)
		}
	}
	if !s.auth {
		return
	}
	before := strings.Count(s.Stderr.String(), "Configuration loaded")
	for who, authorize := range strangers {
		for _, p := range surfacePaths {
			response, body, err := s.ask(c, p.method, p.path, authorize)
			if err != nil {
				s.t.Errorf("%s: %s %s over %s: %v", who, p.method, p.path, proto, err)
				continue
			}
			if response.StatusCode != http.StatusUnauthorized || body != "Unauthorized\n" || response.Header.Get("WWW-Authenticate") != "Basic" {
				s.t.Errorf("%s: %s %s over %s: %s: %.200s", who, p.method, p.path, proto, response.Status, body)
			}
			// The response is the same for every path, so it does not reveal which pages exist.
			for name := range response.Header {
				if !slices.Contains([]string{"Content-Length", "Content-Type", "Date", "Www-Authenticate", "X-Content-Type-Options"}, name) {
					s.t.Errorf("%s: %s %s over %s: header %s", who, p.method, p.path, proto, name)
				}
			}
		}
	}
	if after := strings.Count(s.Stderr.String(), "Configuration loaded"); after != before {
		s.t.Errorf("a stranger made the exporter load its configuration")
	}
	if log := s.Stderr.String(); strings.Contains(log, webPassword) || strings.Contains(log, webPasswordHash) {
		s.t.Errorf("the log holds a password:\n%s", log)
	}
}

// Headers of the web configuration file replace the exporter's own, and come once.
func TestSurfaceHeaders(t *testing.T) {
	s := newSurface(t, true, false, "http_server_config:\n  headers: {Strict-Transport-Security: max-age=3600, X-Frame-Options: sameorigin, X-Content-Type-Options: nosniff}\n")
	c := s.client(true)
	for _, path := range []string{"/", "/metrics", "/api/v1/status", "/unknown", "/debug/pprof/"} {
		response, _, err := s.ask(c, http.MethodGet, path, nobody)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"Strict-Transport-Security": "max-age=3600", "X-Frame-Options": "sameorigin", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		} {
			if got := strings.Join(response.Header.Values(name), ", "); got != want {
				t.Errorf("%s: %s: %q, want %q", path, name, got, want)
			}
		}
		if policy := response.Header.Values("Content-Security-Policy"); len(policy) != 1 || !strings.HasPrefix(policy[0], "default-src 'none'; ") {
			t.Errorf("%s: Content-Security-Policy: %q", path, policy)
		}
	}
}

// TLS starts at 1.2, certificates of strangers are not enough where one is asked for, and a plain request gets nothing.
func TestSurfaceTLS(t *testing.T) {
	cert := newCertificate(t)
	s := newSurface(t, true, false, "")
	address := strings.TrimPrefix(s.URL, "https://")
	for version, good := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: s.cert.pool, MinVersion: version, MaxVersion: version})
		if err == nil {
			conn.Close()
		}
		if (err == nil) != good || !good && !strings.Contains(err.Error(), "protocol version") {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
	response, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusBadRequest || string(body) != "Client sent an HTTP request to an HTTPS server.\n" {
		t.Errorf("plain request: %s: %s", response.Status, body)
	}

	s = newSurface(t, true, false, "")
	mutual := exporter.WriteFile(t, "web.yml", "tls_server_config:\n"+s.cert.files+"  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: "+s.cert.caFile+"\n")
	p := exporter.Start(t, exporter.Options{
		Config: newEndpoint(t).config("", "dbsa"), Args: []string{"--web.config.file=" + mutual}, Scheme: "https",
	})
	for name, shown := range map[string][]tls.Certificate{"no certificate": nil, "another's": {cert.pair}, "good": {s.cert.pair}} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.cert.pool, Certificates: shown}}
		response, err := (&http.Client{Transport: transport}).Get(p.URL + "/metrics")
		if err == nil {
			response.Body.Close()
		}
		if (err == nil) != (name == "good") {
			t.Errorf("%s: %v", name, err)
		}
		transport.CloseIdleConnections()
	}
}

// A connection whose request does not come, or comes a byte at a time, is closed after ten seconds.
func TestSurfaceSlowClients(t *testing.T) {
	t.Parallel()
	const limit, slack = 10 * time.Second, time.Minute // a busy machine is late
	clients := map[string]struct {
		tls   bool
		start string
		drip  string
	}{
		"silent":                {false, "", ""},
		"half a header":         {false, "GET / HTTP/1.1\r\nHost: exporter\r\n", ""},
		"a header bit by bit":   {false, "GET / HTTP/1.1\r\nHost: exporter\r\nX-Slow: ", "a"},
		"silent before TLS":     {true, "", ""},
		"half a TLS hello":      {true, "\x16\x03\x01\x02\x00\x01\x00", ""},
		"a TLS hello by a drip": {true, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "a"},
	}
	servers := map[bool]*surface{false: newSurface(t, false, false, ""), true: newSurface(t, true, false, "")}
	for name, client := range clients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, address, _ := strings.Cut(servers[client.tls].URL, "://")
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			start := time.Now()
			if err := conn.SetReadDeadline(start.Add(limit + slack)); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Write([]byte(client.start)); err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			defer close(ended)
			go drip(conn, client.drip, ended)
			_, err = io.Copy(new(bytes.Buffer), conn)
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Errorf("still open after %v", time.Since(start))
			}
			if took := time.Since(start); took < limit-time.Second {
				t.Errorf("closed after %v, which is too hard on slow networks", took)
			}
		})
	}
}

// drip sends something every second until it cannot or need not.
func drip(conn net.Conn, text string, ended <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
			if _, err := conn.Write([]byte(text)); err != nil {
				return
			}
		}
	}
}

// The web configuration that the documentation shows is one that works, and nobody knows its password.
func TestDocumentedWebConfiguration(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(exporter.Root(t), "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, example, found := strings.Cut(string(text), "```yaml\n# web.yml.")
	example, _, _ = strings.Cut(example, "```")
	if !found {
		t.Fatal("docs/security.md has no web.yml")
	}
	cert := newCertificate(t)
	dir := t.TempDir()
	for name, content := range map[string][]byte{"web.yml": []byte("#" + example), "server.crt": cert.certPEM, "server.key": cert.key} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	web := "--web.config.file=" + filepath.Join(dir, "web.yml")
	config := newEndpoint(t).config("", "dbsa")
	if r := exporter.Run(t, exporter.Options{Config: config, Args: []string{"--config.check", web}}); r.Code != 0 {
		t.Errorf("--config.check: %s", r.Stderr)
	}
	s := &surface{t: t, cert: cert, tls: true, Process: exporter.Start(t, exporter.Options{Config: config, Args: []string{web}, Scheme: "https"})}
	response, _, err := s.ask(s.client(true), http.MethodGet, "/metrics", operator)
	if err != nil || response.StatusCode != http.StatusUnauthorized {
		t.Errorf("the metrics: %v, %v", response, err)
	}
}
