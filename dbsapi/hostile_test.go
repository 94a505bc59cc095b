package dbsapi_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/dbsapi"
)

// hostile is a server that does not behave.
type hostile struct {
	name string
	// answer is sent as it is after each request, which ends the connection.
	answer string
	// build makes an answer that is too large to keep.
	build func() string
	// serve answers in its own way a connection whose first request was read.
	serve func(c *conn)
	// want is what the client says, without the action; empty for a good
	// listing of one row.
	want string
	// requests is how many requests the client sends.
	requests int
}

// conn is the server's end of a connection.
type conn struct {
	net.Conn
	reader *bufio.Reader
}

// request reads a request and reports whether there was one.
func (c *conn) request() bool {
	r, err := http.ReadRequest(c.reader)
	return err == nil && r.Header.Get("Authorization") != ""
}

// send writes until the client has gone.
func (c *conn) send(text string) bool {
	_, err := io.WriteString(c, text)
	return err == nil
}

const oneRow = `{"Success":true,"TotalElements":1,"Items":[{"BackupSetDownloadTaskId":"a"}]}`

// response is an answer with the right length.
func response(head, body string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s", head, len(body), body)
}

func ok(body string) string { return response("200 OK", body) }

// network connects a client with a hostile server in memory, so that synctest
// runs its time forward.
type network struct {
	server func(net.Conn)
	read   atomic.Int64 // bytes that the client read
	wg     sync.WaitGroup
}

func (n *network) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	n.wg.Go(func() {
		defer server.Close()
		n.server(server)
	})
	return &counted{client, &n.read}, nil
}

// counted counts what is read from a connection.
type counted struct {
	net.Conn
	n *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// door is the transport that the exporter uses, on another network.
func door(n *network, config *tls.Config) *http.Transport {
	return &http.Transport{
		DialContext: n.dial, TLSClientConfig: config, TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout: dbsapi.IdleConnTimeout, MaxResponseHeaderBytes: 64 << 10,
	}
}

const (
	// maxRead is the most that a client may read for one answer: what it
	// accepts of a body, of a header, and what is on its way.
	maxRead = 8<<20 + 256<<10
	// maxHeap is the most that the answers may allocate in all, which bounds what
	// they hold at a time: the buffer of 8 MiB, and what a member of it takes.
	maxHeap = 48 << 20
)

// TestMain keeps the noise down: net/http tells the standard logger of answers
// that nobody asked for.
func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	m.Run()
}

// run lists tasks from the server and checks the outcome.
func (h hostile) run(t *testing.T, config *tls.Config, server func(net.Conn)) {
	n := network{server: server}
	transport := door(&n, config)
	endpoint := "http://127.0.0.1"
	if config != nil {
		endpoint = "https://dbs.example"
	}
	var o observer
	c := newClient(t, dbsapi.Options{Endpoint: endpoint, HTTPClient: &http.Client{Transport: transport}, Observe: o.observe})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	tasks, _, err := listAt(t.Context(), c, budget(30*time.Second))
	runtime.ReadMemStats(&after)
	transport.CloseIdleConnections()
	n.wg.Wait()

	got := ""
	if err != nil {
		got = strings.TrimPrefix(err.Error(), dbsapi.ActionDownloadTasks+": ")
	}
	if got != h.want || (err == nil) != (len(tasks) == 1) {
		t.Errorf("%d tasks and error %q, want %q", len(tasks), got, h.want)
	}
	if sent := o.sent(); sent != h.requests {
		t.Errorf("sent %d requests, want %d", sent, h.requests)
	}
	if read := n.read.Load(); read > maxRead*int64(max(1, h.requests)) {
		t.Errorf("read %d bytes", read)
	}
	if heap := after.TotalAlloc - before.TotalAlloc; heap > maxHeap {
		t.Errorf("allocated %d MiB", heap>>20)
	}
	checkNoLeak(t, got)
	for _, a := range o.attempts {
		checkNoLeak(t, fmt.Sprintf("%v %+v %#v", a.Err, a.Err, a.Err))
	}
}

// The client ends every answer of a hostile server with a reason, a bounded
// number of requests, bytes and memory, and takes none for a list.
func TestHostileServer(t *testing.T) {
	for _, list := range [][]hostile{hostileStatuses, hostileHeaders, hostileBodies, hostileTimes} {
		for _, h := range list {
			t.Run(h.name, func(t *testing.T) {
				if h.build != nil {
					h.answer = h.build()
				}
				synctest.Test(t, func(t *testing.T) {
					h.run(t, nil, func(c net.Conn) {
						s := &conn{c, bufio.NewReader(c)}
						switch {
						case !s.request():
						case h.serve != nil:
							h.serve(s)
						default:
							s.send(h.answer)
						}
					})
				})
			})
		}
	}
}
