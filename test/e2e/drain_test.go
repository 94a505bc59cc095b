package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"aliyun_dbs_exporter/dbsapi/dbssim"

	"test/internal/exporter"
)

// A scrape that is being sent when the signal to stop comes is sent to its end, while nobody new is let in.
func TestScrapeInFlightIsDrained(t *testing.T) {
	t.Parallel()
	// A page of 6 MB does not fit into the buffers of a connection: while nobody reads it, it cannot have been sent.
	const tasks = 3000
	long := strings.Repeat("n", 250)
	list := make([]dbssim.Task, tasks)
	for i := range list {
		list[i] = dbssim.Task{
			ID: fmt.Sprintf("task%04d", i), Name: long, BackupSetID: long, DBType: long, Format: long, Way: long, TargetType: long,
			Status: "running", Created: time.Now(),
		}
	}
	e := newEndpoint(t, dbssim.Plan{ID: "dbsa", Tasks: dbssim.Fixed(list...)})
	// One poll: a second one would only cost time.
	config := strings.Replace(e.config("task_series: {max_per_plan: 100000, max_total: 100000}", "dbsa"), "poll_interval: 1s", "poll_interval: 10m", 1)
	p := exporter.Start(t, exporter.Options{Config: strings.Replace(config, "requests_per_second: 100", "requests_per_second: 1000", 1)})
	p.Polled()

	conn := dial(t, p)
	fmt.Fprint(conn, "GET /metrics HTTP/1.1\r\nHost: exporter\r\n\r\n")
	page := bufio.NewReader(conn)
	if _, err := page.Peek(1); err != nil {
		t.Fatal(err)
	}
	p.Signal(stopSignals["SIGTERM"])
	exporter.Eventually(t, func() error {
		if late, err := net.Dial("tcp", conn.RemoteAddr().String()); err == nil {
			late.Close()
			return errors.New("connections are still accepted")
		}
		return nil
	})
	if !p.Running() {
		t.Error("the process ended before the scrape")
	}

	resp, err := http.ReadResponse(page, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("the scrape ends with %d, %v", resp.StatusCode, err)
	}
	if n := strings.Count(string(body), "\naliyun_dbs_download_task_status{"); n != tasks {
		t.Errorf("%d tasks are on the page, want %d", n, tasks)
	}
	if code := p.Wait(exporter.StopTime); code != 0 {
		t.Errorf("exit code is %d:\n%s", code, p.Stderr)
	}
}

// A request that takes longer than anybody who stops the process waits is cut off.
func TestLongRequestIsCutOff(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, dbssim.Plan{ID: "dbsa"})
	p := exporter.Start(t, exporter.Options{Config: e.config("", "dbsa"), Args: []string{"--web.enable-pprof"}})
	conn := dial(t, p)
	fmt.Fprint(conn, "GET /debug/pprof/trace?seconds=60 HTTP/1.1\r\nHost: exporter\r\n\r\n")
	if _, err := bufio.NewReader(conn).Peek(1); err != nil {
		t.Fatal(err)
	}
	p.Signal(stopSignals["SIGTERM"])
	if code := p.Wait(exporter.StopTime); code != 0 {
		t.Errorf("exit code is %d:\n%s", code, p.Stderr)
	}
}

// dial connects to a process for a request that the test writes and reads by hand.
func dial(t *testing.T, p *exporter.Process) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn
}
