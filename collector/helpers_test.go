package collector_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"aliyun_dbs_exporter/collector"
	"aliyun_dbs_exporter/dbsapi/dbssim"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Marks that must not show up in any output.
const (
	keyMark    = "LTAI-key-mark"
	secretMark = "secret-mark"
	tokenMark  = "token-mark"
)

// network connects clients and a server in memory, so that synctest can run time forward.
type network struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newNetwork() *network {
	return &network{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (n *network) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case n.conns <- server:
		return client, nil
	case <-n.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error   { close(n.closed); return nil }
func (n *network) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

// bench is a collector against a simulator, inside a synctest bubble.
type bench struct {
	*testing.T
	sim       *dbssim.Simulator
	collector *collector.Collector
	registry  *prometheus.Registry
	log       *lockedBuffer
	network   *network
}

// lockedBuffer is a buffer that several goroutines may write to.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// lines returns the log lines that hold a text.
func (b *lockedBuffer) lines(text string) []string {
	var lines []string
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return lines
}

// account is what the collectors of tests poll.
func account(plans ...dbssim.Plan) dbssim.Account {
	return dbssim.Account{AccessKeyID: keyMark, AccessKeySecret: secretMark, SecurityToken: tokenMark, Plans: plans}
}

// config returns a configuration of one target with these plans, below keys for the top of the file.
func configText(top string, plans ...string) string {
	text := top + `
targets:
  - account: acme
    region_id: cn-hangzhou
    endpoint: http://127.0.0.1:1
    requests_per_second: 1000
    max_concurrent_requests: 1
    credentials:
      type: sts
      access_key_id: ` + keyMark + `
      access_key_secret: ` + secretMark + `
      security_token: ` + tokenMark + `
    plans:
`
	for _, plan := range plans {
		text += "      - {id: " + plan + "}\n"
	}
	return text
}

func parse(t testing.TB, text string) *collector.Config {
	t.Helper()
	c, err := collector.ParseConfig([]byte(text), "test.yml")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newBench serves the simulator in memory and makes a collector of it.
func newBench(t *testing.T, sim *dbssim.Simulator, config string) *bench {
	t.Helper()
	b := &bench{T: t, sim: sim, network: newNetwork(), log: new(lockedBuffer)}
	server := &http.Server{Handler: sim, ErrorLog: stdlog.New(io.Discard, "", 0)}
	served := make(chan struct{})
	go func() { defer close(served); server.Serve(b.network) }()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	b.restart(config)
	return b
}

// restart makes a new collector, as a new process would.
func (b *bench) restart(config string) {
	b.Helper()
	c, err := collector.New(parse(b, config), collector.Options{Dial: b.network.dial}, log.NewLogfmtLogger(b.log))
	if err != nil {
		b.Fatal(err)
	}
	b.collector = c
	b.registry = prometheus.NewPedanticRegistry()
	b.registry.MustRegister(c)
}

// run starts the poll loops and waits for the first round.
func (b *bench) run() (stop func()) {
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); b.collector.Run(ctx) }()
	synctest.Wait()
	return func() { cancel(); <-ended }
}

// pass lets time pass, and everything settle that is to happen by then.
func (b *bench) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// page returns the metrics page.
func (b *bench) page() string {
	b.Helper()
	families, err := b.registry.Gather()
	if err != nil {
		b.Fatal(err)
	}
	var text bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			b.Fatal(err)
		}
	}
	return text.String()
}

// samples returns the page's samples in its own notation, by series as [series] writes them.
func (b *bench) samples() map[string]string {
	b.Helper()
	samples := make(map[string]string)
	for line := range strings.Lines(b.page()) {
		if rest, ok := strings.CutPrefix(line, "aliyun_dbs_"); ok {
			i := strings.LastIndex(rest, " ")
			samples[series(rest[:i])] = strings.TrimSpace(rest[i:])
		}
	}
	return samples
}

// series sorts the labels of a series; their values have no commas here.
func series(text string) string {
	name, labels, _ := strings.Cut(strings.TrimSuffix(text, "}"), "{")
	pairs := strings.Split(labels, ",")
	slices.Sort(pairs)
	return name + "{" + strings.Join(pairs, ",") + "}"
}

// expect compares samples. Names are without their prefix, the labels in any order; the value may be "absent".
func (b *bench) expect(want map[string]string) {
	b.Helper()
	samples := b.samples()
	got := make(map[string]string)
	for name := range want {
		value, ok := samples[series(name)]
		if !ok {
			value = "absent"
		}
		got[name] = value
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.Error(diff)
	}
}

// golden compares a text with a file.
func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: %s", path, diff)
	}
}

// lint makes sure that all metrics follow the naming rules.
func (b *bench) lint() {
	b.Helper()
	problems, err := testutil.GatherAndLint(b.registry)
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range problems {
		b.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// tasks makes a number of finished tasks with IDs that start alike.
func tasks(prefix string, n int) []dbssim.Task {
	list := make([]dbssim.Task, n)
	for i := range list {
		list[i] = dbssim.Task{ID: fmt.Sprintf("%s%03d", prefix, i), Status: "finish", Bytes: 1000}
	}
	return list
}
