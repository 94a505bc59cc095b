// Package prometheus runs real Prometheus and Alertmanager servers for tests.
package prometheus

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"test/internal/exporter"
)

// requestTimeout bounds a question to a server.
const requestTimeout = 10 * time.Second

// stopTime bounds the end of a server that was told to stop; after it, it is killed.
const stopTime = time.Minute

// Server is a running server with an HTTP API.
type Server struct {
	// URL is where it listens.
	URL string
	t   testing.TB
}

// Start starts a Prometheus with a configuration file. It is ended with the test.
func Start(t testing.TB, config string) *Server {
	t.Helper()
	s := &Server{t: t}
	log := start(t, "prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(t.TempDir(), "data"),
		"--web.listen-address=127.0.0.1:0", "--log.format=json")
	exporter.Eventually(t, func() error {
		for line := range strings.Lines(log.String()) {
			var entry struct{ Msg, Address string }
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "Listening on" {
				s.URL = "http://" + entry.Address
				return s.Get("/-/ready", nil, nil)
			}
		}
		return fmt.Errorf("it does not listen:\n%s", log)
	})
	return s
}

// StartAlertmanager starts an Alertmanager with a configuration file. It is ended with the test.
func StartAlertmanager(t testing.TB, config string) *Server {
	t.Helper()
	// It does not tell which port it took, so one is looked for.
	address := exporter.FreeAddress(t)
	s := &Server{t: t, URL: "http://" + address}
	log := start(t, "prometheus-alertmanager", "--config.file="+config, "--storage.path="+t.TempDir(),
		"--web.listen-address="+address, "--cluster.listen-address=")
	exporter.Eventually(t, func() error {
		if err := s.Get("/-/ready", nil, nil); err != nil {
			return fmt.Errorf("%w:\n%s", err, log)
		}
		return nil
	})
	return s
}

// start runs a program until the test ends.
func start(t testing.TB, name string, args ...string) *exporter.Output {
	t.Helper()
	log := new(exporter.Output)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, exporter.Tool(t, name), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTime
	cmd.Stdout, cmd.Stderr = log, log
	err := cmd.Start()
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait() // it was told to end
	})
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// Get asks the HTTP API, with a form if there is one, and decodes the data of its answer.
func (s *Server) Get(path string, form url.Values, data any) error {
	body, err := s.ask(path, form)
	if err != nil || data == nil {
		return err
	}
	return json.Unmarshal(body, &struct{ Data any }{data})
}

func (s *Server) ask(path string, form url.Values) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	if form == nil {
		req.Method = http.MethodGet
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %d: %s", path, resp.StatusCode, body)
	}
	return body, err
}

// Series is one series of a result: a sample of an instant query, or those of a range. A sample is a time and a text.
type Series struct {
	Metric    map[string]string
	Value     [2]any
	Values    [][2]any
	Histogram [2]any
}

// Number reports whether there is a sample that can be drawn.
func (s Series) Number() bool {
	return slices.ContainsFunc(append(s.Values, s.Value), func(sample [2]any) bool {
		text, _ := sample[1].(string)
		value, err := strconv.ParseFloat(text, 64)
		return err == nil && !math.IsNaN(value) && !math.IsInf(value, 0)
	})
}

// Query evaluates an expression now, or over the last minutes in steps of a second.
func (s *Server) Query(expr string, now bool) ([]Series, error) {
	form := url.Values{"query": {expr}}
	path := "/api/v1/query"
	if !now {
		path += "_range"
		form.Set("start", fmt.Sprint(time.Now().Add(-5*time.Minute).Unix()))
		form.Set("end", fmt.Sprint(time.Now().Unix()))
		form.Set("step", "1")
	}
	var data struct{ Result []Series }
	err := s.Get(path, form, &data)
	return data.Result, err
}

// Alert is one that an Alertmanager has.
type Alert struct {
	Labels, Annotations map[string]string
	Status              struct {
		State       string
		InhibitedBy []string
	}
}

// Alerts returns the alerts that an Alertmanager has and that have not ended.
func (s *Server) Alerts() (alerts []Alert, err error) {
	body, err := s.ask("/api/v2/alerts", nil)
	if err != nil {
		return nil, err
	}
	return alerts, json.Unmarshal(body, &alerts)
}
