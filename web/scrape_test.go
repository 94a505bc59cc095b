package web_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"aliyun_dbs_exporter/dbsapi/dbssim/simtest"
	"aliyun_dbs_exporter/web"
)

// gathers is a collector of a page that is too long for the buffers of a
// connection. Its first metric counts how often it was collected.
type gathers struct{ n atomic.Int64 }

var gathersDesc = prometheus.NewDesc("gathers", "Counts gathers.", []string{"n"}, nil)

func (g *gathers) Describe(ch chan<- *prometheus.Desc) { ch <- gathersDesc }

func (g *gathers) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(gathersDesc, prometheus.GaugeValue, float64(g.n.Add(1)), "")
	for i := range 1000 {
		ch <- prometheus.MustNewConstMetric(gathersDesc, prometheus.GaugeValue, 0, strconv.Itoa(i))
	}
}

// connect sends a scrape and reads nothing of the answer.
func connect(t *testing.T, network *simtest.Network) net.Conn {
	t.Helper()
	conn, err := network.Dial(t.Context(), "tcp", "exporter")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: exporter\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return conn
}

// scrape returns the number of the gather that a scrape shows, or the status
// if that is not 200.
func scrape(t *testing.T, network *simtest.Network) string {
	t.Helper()
	conn := connect(t, network)
	defer conn.Close()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		return response.Status
	}
	for line := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(line, `gathers{n=""} `); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("the page has no gathers:\n%s", body)
	return ""
}

// Clients that never read keep their places and nothing else: other scrapes
// show new values until all places are taken, and again as soon as one is free.
func TestClientsThatNeverRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := onePlan(t, func(o *web.Options) { o.Registry.MustRegister(new(gathers)) })
		network := simtest.Serve(t, s.handler)
		const most = 16
		var silent []net.Conn
		for n := 1; n < 2*most; n += 2 {
			silent = append(silent, connect(t, network))
			synctest.Wait() // the answer waits for its reader
			want := strconv.Itoa(n + 1)
			if len(silent) == most {
				want = "503 Service Unavailable"
			}
			if got := scrape(t, network); got != want {
				t.Errorf("beside %d clients that never read, a scrape shows gather %s, want %s", len(silent), got, want)
			}
		}
		silent[0].Close()
		synctest.Wait()
		if got, want := scrape(t, network), strconv.Itoa(2*most); got != want {
			t.Errorf("after one has left, a scrape shows gather %s, want %s", got, want)
		}
	})
}

// slow is a collector that takes until the end is closed.
type slow struct{ end chan struct{} }

var slowDesc = prometheus.NewDesc("slow", "Is slow.", nil, nil)

func (s slow) Describe(ch chan<- *prometheus.Desc) { ch <- slowDesc }
func (s slow) Collect(ch chan<- prometheus.Metric) {
	<-s.end
	ch <- prometheus.MustNewConstMetric(slowDesc, prometheus.GaugeValue, 1)
}

// Scrapes beyond the limit are refused while others gather.
func TestScrapesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 16
		collector := slow{make(chan struct{})}
		s := onePlan(t, func(o *web.Options) { o.Registry.MustRegister(collector) })
		codes := make(chan int, most)
		for range most {
			go func() { codes <- s.send(http.MethodGet, "/metrics").Code }()
		}
		synctest.Wait()
		if code := s.send(http.MethodGet, "/metrics").Code; code != http.StatusServiceUnavailable {
			t.Errorf("a scrape beyond the limit answers %d", code)
		}
		close(collector.end)
		for range most {
			if code := <-codes; code != http.StatusOK {
				t.Errorf("a scrape within the limit answers %d", code)
			}
		}
	})
}

// goneWriter is the connection of a client that left.
type goneWriter struct{ http.ResponseWriter }

func (goneWriter) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// A client that leaves during a scrape ends it. That is not logged, and its
// place is free again.
func TestScraperLeaves(t *testing.T) {
	var log bytes.Buffer
	s := onePlan(t, func(o *web.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	const moreThanAtATime = 20
	for range moreThanAtATime {
		for _, encoding := range []string{"identity", "gzip"} {
			r := httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody)
			r.Header.Set("Accept-Encoding", encoding)
			s.handler.ServeHTTP(goneWriter{httptest.NewRecorder()}, r)
		}
	}
	if log.Len() > 0 {
		t.Errorf("the log has: %s", &log)
	}
	if w := s.send(http.MethodGet, "/metrics"); w.Code != http.StatusOK {
		t.Errorf("the next scrape answers %d", w.Code)
	}
}

// broken is a collector of an error.
type broken struct{}

var brokenDesc = prometheus.NewDesc("broken", "A metric that cannot be collected.", nil, nil)

func (broken) Describe(ch chan<- *prometheus.Desc) { ch <- brokenDesc }
func (broken) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.NewInvalidMetric(brokenDesc, errors.New("it is broken"))
}

// A broken metric is missing from the page, and the log says so.
func TestBrokenMetric(t *testing.T) {
	var log bytes.Buffer
	s := onePlan(t, func(o *web.Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		o.Registry.MustRegister(broken{}, new(gathers))
	})
	if page := s.get("/metrics"); !strings.Contains(page, "gathers{") || strings.Contains(page, "\nbroken") {
		t.Errorf("the page is:\n%s", page)
	}
	if lines := strings.Count(log.String(), "\n"); lines != 1 {
		t.Errorf("the log has %d lines:\n%s", lines, &log)
	}
	for _, want := range []string{`level=ERROR msg="Metrics are missing from the page"`, "it is broken"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, fmt.Sprint(&log))
		}
	}
}
