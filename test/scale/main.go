// Command scale measures what one exporter carries: it starts the real binary against a simulated endpoint with more
// and more plans and prints what polls and a scrape cost. The figures in docs/scaling.md come from it.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"aliyun_dbs_exporter/dbsapi/dbssim"
)

// interval is the poll interval: long enough to poll all plans at rate requests a second.
const (
	interval = 10 * time.Second
	rate     = 1000
	tasks    = 20
	// patience bounds every wait; the first polls take a few seconds.
	patience = 2 * time.Minute
)

func main() {
	sizes := flag.String("plans", "10,100,300,1000,5000", "numbers of plans to measure")
	flag.Parse()
	if err := run(strings.Split(*sizes, ",")); err != nil {
		log.Fatal(err)
	}
}

func run(sizes []string) error {
	dir, err := os.MkdirTemp("", "scale")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "aliyun_dbs_exporter")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", binary, ".")
	build.Dir = ".." // the exporter's module; the test module starts commands in its own folder
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build the exporter: %w", err)
	}
	fmt.Printf("Every plan has %d tasks, which is one page.\n\n", tasks)
	fmt.Println("| plans | first polls | CPU time per interval | resident memory | page | scrape |")
	fmt.Println("|---|---|---|---|---|---|")
	for _, size := range sizes {
		n, err := strconv.Atoi(size)
		if err != nil {
			return err
		}
		if err := measure(binary, dir, n); err != nil {
			return fmt.Errorf("measure %d plans: %w", n, err)
		}
	}
	return nil
}

// measure prints the row of one number of plans.
func measure(binary, dir string, n int) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	endpoint := httptest.NewServer(simulator(n))
	defer endpoint.Close()
	config := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(config, []byte(configText(endpoint.URL, n)), 0o600); err != nil {
		return err
	}
	process := exec.CommandContext(ctx, binary, "--config.file", config, "--web.listen-address=127.0.0.1:0")
	stderr, err := process.StderrPipe()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := process.Start(); err != nil {
		return err
	}
	defer func() {
		_ = process.Process.Signal(os.Interrupt)
		_ = process.Wait()
	}()
	address, err := listening(stderr)
	if err != nil {
		return err
	}
	if err := until(ctx, func() bool { status, _, _ := get(ctx, address+"/-/ready"); return status == http.StatusOK }); err != nil {
		return err
	}
	firstPolls := time.Since(start)

	// The CPU time of three intervals. Only the two scrapes that read it are in it.
	page, _, err := scrape(ctx, address)
	if err != nil {
		return err
	}
	before, polls := page["process_cpu_seconds_total"], page.sum("aliyun_dbs_polls_total")
	if err := wait(ctx, 3*interval); err != nil {
		return err
	}
	begin := time.Now()
	page, size, err := scrape(ctx, address)
	if err != nil {
		return err
	}
	took := time.Since(begin)
	polledOnce := (page.sum("aliyun_dbs_polls_total") - polls) / float64(n)
	cpu := time.Duration((page["process_cpu_seconds_total"] - before) / polledOnce * float64(time.Second))
	fmt.Printf("| %d | %v | %v | %.0f MB | %.1f MB | %v |\n", n, firstPolls.Round(10*time.Millisecond), cpu.Round(time.Millisecond),
		page["process_resident_memory_bytes"]/1e6, float64(size)/1e6, took.Round(time.Millisecond))
	return nil
}

func simulator(n int) http.Handler {
	now := time.Now()
	list := make([]dbssim.Task, tasks)
	for i := range list {
		age := time.Duration(i+1) * time.Hour
		list[i] = dbssim.Task{
			ID: fmt.Sprintf("t%d", i), Name: fmt.Sprintf("set-%d-AutoFull", i), BackupSetID: fmt.Sprintf("set-%d", i), Status: "finish", Bytes: 1e9,
			JobType: "cbs_backup_sub_full", DBType: "MySQL", Format: "SQL", Way: "auto", Created: now.Add(-age), Finished: now.Add(-age + 40*time.Minute),
		}
	}
	account := dbssim.Account{AccessKeyID: "key", AccessKeySecret: "secret"}
	for i := range n {
		account.Plans = append(account.Plans, dbssim.Plan{ID: fmt.Sprintf("dbs%09d", i), Name: fmt.Sprintf("plan-%d", i), Region: "cn-hangzhou", Tasks: dbssim.Fixed(list...)})
	}
	return dbssim.New(nil, account)
}

func configText(endpoint string, n int) string {
	var text strings.Builder
	fmt.Fprintf(&text, `poll_interval: %v
targets:
  - region_id: cn-hangzhou
    endpoint: %s
    requests_per_second: %d
    max_concurrent_requests: 16
    credentials: {type: access_key, access_key_id: key, access_key_secret: secret}
    plans:
`, interval, endpoint, rate)
	for i := range n {
		fmt.Fprintf(&text, "      - id: dbs%09d\n", i)
	}
	return text.String()
}

// listening reads the log up to the line that names the address, and goes on reading so that the process never waits.
func listening(stderr io.Reader) (string, error) {
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), `msg="Listening on" address=`); ok {
			go func() { _, _ = io.Copy(io.Discard, stderr) }()
			return "http://" + rest, nil
		}
	}
	return "", errors.New("the exporter does not listen")
}

// until asks ten times a second.
func until(ctx context.Context, done func() bool) error {
	for !done() {
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func get(ctx context.Context, url string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// samples are the values of a page by series.
type samples map[string]float64

// sum adds all series of a metric.
func (s samples) sum(name string) (sum float64) {
	for series, v := range s {
		if strings.HasPrefix(series, name+"{") {
			sum += v
		}
	}
	return sum
}

func scrape(ctx context.Context, address string) (samples, int, error) {
	_, body, err := get(ctx, address+"/metrics")
	s := make(samples)
	for line := range strings.Lines(string(body)) {
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			s[line[:i]], _ = strconv.ParseFloat(strings.TrimSpace(line[i:]), 64)
		}
	}
	return s, len(body), err
}
