package credentials_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

// network is a network in memory. A host is there if somebody serves it.
type network struct {
	hosts  map[string]func(net.Conn) // by host:port
	dialed sync.Map                  // every address that was asked for
	dials  atomic.Int32
	open   atomic.Int32 // connections that the client has not closed
	read   atomic.Int64 // bytes that the client has read

	mu       sync.Mutex
	requests []*http.Request // with their forms
	asked    int             // how many of them are for keys
}

func (n *network) dial(_ context.Context, _, address string) (net.Conn, error) {
	n.dialed.Store(address, true)
	n.dials.Add(1)
	serve := n.hosts[address]
	if serve == nil {
		return nil, syscall.ECONNREFUSED
	}
	client, server := net.Pipe()
	n.open.Add(1)
	go func() {
		defer server.Close()
		serve(buffered(server))
	}()
	return &countingConn{Conn: client, n: n}, nil
}

// bufferedConn takes what the other side writes at once, as the kernel does for
// a server that does not read.
type bufferedConn struct {
	net.Conn
	pieces chan []byte
	rest   []byte
}

func buffered(c net.Conn) net.Conn {
	b := &bufferedConn{Conn: c, pieces: make(chan []byte, 1000)}
	go func() {
		defer close(b.pieces)
		for {
			piece := make([]byte, 4096)
			n, err := c.Read(piece)
			if err != nil {
				return
			}
			b.pieces <- piece[:n]
		}
	}()
	return b
}

func (b *bufferedConn) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		piece, more := <-b.pieces
		if !more {
			return 0, io.EOF
		}
		b.rest = piece
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

type countingConn struct {
	net.Conn
	n    *network
	once sync.Once
}

func (c *countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.n.read.Add(int64(n))
	return n, err
}

func (c *countingConn) Close() error {
	c.once.Do(func() { c.n.open.Add(-1) })
	return c.Conn.Close()
}

// record notes a request, and in the request whether it is the first for keys.
func (n *network) record(r *http.Request) *http.Request {
	n.mu.Lock()
	defer n.mu.Unlock()
	if r.Method != http.MethodPut {
		n.asked++
		r = r.WithContext(context.WithValue(r.Context(), orderKey{}, n.asked))
	}
	n.requests = append(n.requests, r)
	return r
}

// seen returns the requests that have come.
func (n *network) seen() []*http.Request {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.requests
}

// answer writes what a server says to a request. It closes the connection where
// it returns false.
type answer func(w io.Writer, r *http.Request) bool

// plain serves requests with an answer.
func (n *network) plain(say answer) func(net.Conn) {
	return func(conn net.Conn) {
		from := bufio.NewReader(conn)
		for {
			r, err := http.ReadRequest(from)
			if err != nil {
				return
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			r.PostForm, _ = url.ParseQuery(string(body))
			r = n.record(r)
			if !say(conn, r) {
				return
			}
		}
	}
}

// secure serves requests over TLS with a certificate for example.com.
func (n *network) secure(say answer) func(net.Conn) {
	config := &tls.Config{Certificates: []tls.Certificate{testCertificate()}}
	return func(conn net.Conn) {
		secured := tls.Server(conn, config)
		defer secured.Close()
		n.plain(say)(secured)
	}
}

// testCertificate is for example.com. Its key is of the kind that costs the
// least.
var testCertificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{"example.com"},
		NotBefore:    time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), // simulated time begins in 2000
		NotAfter:     time.Date(2190, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
})

// client returns a client in the network.
func (n *network) client(proxy func(*http.Request) (*url.URL, error)) *credentials.Client {
	return credentials.NewClient("test", credentials.NewTransport(credentials.Options{
		TLS: &tls.Config{RootCAs: testRoots(), MinVersion: tls.VersionTLS12}, Dial: n.dial, Proxy: proxy,
	}))
}

const (
	stsHost      = "example.com"
	uriHost      = "localhost"
	metadataHost = "100.100.100.200"
)

// sources are the ways to temporary keys, each from one server that says the
// same.
func sources(t *testing.T, c *credentials.Client) map[string]*credentials.Session {
	t.Helper()
	role := credentials.RoleOptions{
		RoleARN: readerRole, STSEndpoint: stsHost, OIDCProviderARN: provider, OIDCTokenFile: writeFile(t, "token", oidcMark),
	}
	return map[string]*credentials.Session{
		"RAM role":         c.RAMRole(credentials.NewStatic(keyMark, secretMark, ""), role),
		"RAM role by OIDC": c.OIDCRole(role),
		"ECS role":         c.ECSRole("reader", true),
		"ECS role, v1":     c.ECSRole("reader", false),
		"URI":              c.URI(credentials.Given("http://" + uriHost + "/" + pathMark + "?key=" + secretMark)),
	}
}

// serveAll lets all sources' servers give one answer to the request for keys.
func (n *network) serveAll(say answer) {
	n.hosts = map[string]func(net.Conn){
		stsHost + ":443": n.secure(say),
		uriHost + ":80":  n.plain(say),
		metadataHost + ":80": n.plain(func(w io.Writer, r *http.Request) bool {
			if r.Method == http.MethodPut {
				return text(http.StatusOK, metadataToken)(w, r)
			}
			return say(w, r)
		}),
	}
}

const metadataToken = "metadata-token-mark"

// asks are the requests for keys among those that have come.
func (n *network) asks() (asks []*http.Request) {
	for _, r := range n.seen() {
		if r.Method != http.MethodPut {
			asks = append(asks, r)
		}
	}
	return asks
}

// closed fails the test if the client keeps connections that it has no use for,
// and ends the network.
func (n *network) closed(t *testing.T, c *credentials.Client) {
	t.Helper()
	synctest.Wait()
	c.CloseIdleConnections()
	if left := n.open.Load(); left != 0 {
		t.Errorf("%d connections are open", left)
	}
	time.Sleep(2 * time.Hour) // servers that hang notice
}

// goodKeys are keys in the words of every source: STS wraps them, the metadata
// service adds a code.
func goodKeys(change func(keys map[string]any)) map[string]any {
	keys := map[string]any{
		"AccessKeyId": "STS.key", "AccessKeySecret": "session-secret", "SecurityToken": "session-token",
		"Expiration": time.Now().Add(time.Hour).UTC().Format(time.RFC3339), "Code": "Success",
	}
	if change != nil {
		change(keys)
	}
	answer := map[string]any{"RequestId": "4F1888AC", "Credentials": keys}
	maps.Copy(answer, keys)
	return answer
}

func contextWithTimeout(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), d)
}
