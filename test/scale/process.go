package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// config is a configuration of one target.
type config struct {
	// global are lines at the top level, target those of the target.
	global, target string
	endpoint       string
	plans          []string
}

func (c config) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, `%stargets:
  - region_id: cn-hangzhou
    endpoint: %s
    credentials: {type: access_key, access_key_id: %s, access_key_secret: %s}
%s    plans:
`, c.global, c.endpoint, keyID, keySecret, c.target)
	for _, id := range c.plans {
		fmt.Fprintf(&text, "      - id: %s\n", id)
	}
	return text.String()
}

func (o *options) write(c config) (string, error) {
	file := filepath.Join(o.dir, "config.yml")
	return file, os.WriteFile(file, []byte(c.String()), 0o600)
}

// process is a running exporter.
type process struct {
	cmd     *exec.Cmd
	address string
	started time.Time
}

// start starts the exporter and waits until it listens.
func (o *options) start(ctx context.Context, c config) (*process, error) {
	file, err := o.write(c)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.CommandContext(ctx, o.binary, "--config.file", file, "--web.listen-address=127.0.0.1:0"), started: time.Now()}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if p.address, err = listening(stderr); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(os.Interrupt)
	_ = p.cmd.Wait()
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

// ready waits until the exporter says that the first polls have ended, which it
// does after five minutes in any case.
func (p *process) ready(ctx context.Context) error {
	for {
		if status, _, _ := get(ctx, p.address+"/-/ready"); status == http.StatusOK {
			return nil
		}
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// firstPolls waits until every plan was polled once.
func (p *process) firstPolls(ctx context.Context, plans int) error {
	if err := p.ready(ctx); err != nil {
		return err
	}
	for {
		page, _, err := p.scrape(ctx)
		if err != nil {
			return err
		}
		polled := 0
		for series, polls := range page {
			if strings.HasPrefix(series, "aliyun_dbs_polls_total{") && polls > 0 {
				polled++
			}
		}
		if polled == plans {
			return nil
		}
		if err := wait(ctx, 2*time.Second); err != nil {
			return err
		}
	}
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

// ofPlan returns the value of a metric of a plan, and of a status unless that is
// empty.
func (s samples) ofPlan(name, plan, status string) (float64, bool) {
	labels := fmt.Sprintf(`{account="default",plan_id="%s",region_id="cn-hangzhou"`, plan)
	if status != "" {
		labels += fmt.Sprintf(`,status="%s"`, status)
	}
	v, ok := s[name+labels+"}"]
	return v, ok
}

// scrape returns the samples of the page and its size.
func (p *process) scrape(ctx context.Context) (samples, int, error) {
	_, body, err := get(ctx, p.address+"/metrics")
	s := make(samples)
	for line := range strings.Lines(string(body)) {
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			s[line[:i]], _ = strconv.ParseFloat(strings.TrimSpace(line[i:]), 64)
		}
	}
	return s, len(body), err
}
