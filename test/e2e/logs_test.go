package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"aliyun_dbs_exporter/dbsapi/dbssim"

	"test/internal/exporter"
)

// Logs are one event a line, in JSON with each key once.
func TestJSONLogs(t *testing.T) {
	e := newEndpoint(t, dbssim.Plan{ID: "dbsa"})
	p := exporter.Start(t, exporter.Options{Config: e.config("", "dbsa", "dbsgone"), Args: []string{"--log.format=json", "--log.level=debug"}})
	p.Ready()
	exporter.Eventually(t, func() error {
		if !strings.Contains(p.Stderr.String(), "Polls failed") {
			return errNothingChanges
		}
		return nil
	})
	p.Signal(stopSignals["SIGTERM"])
	p.Wait(exporter.StopTime)
	lines := bufio.NewScanner(strings.NewReader(p.Stderr.String()))
	events := make(map[string]int)
	for lines.Scan() {
		event, err := uniqueKeys(lines.Text())
		if err != nil {
			t.Errorf("%v: %s", err, lines.Text())
			continue
		}
		for _, key := range []string{"level", "time", "caller", "msg"} {
			if event[key] == "" {
				t.Errorf("no %s in %s", key, lines.Text())
			}
		}
		events[event["msg"]]++
	}
	for _, msg := range []string{"Starting aliyun_dbs_exporter", "Listening on", "Polls failed, the last successful listing of these plans ages", "Stopped"} {
		if events[msg] == 0 {
			t.Errorf("no event %q", msg)
		}
	}
}

// uniqueKeys decodes a flat object and refuses keys that come twice, and anything after it.
func uniqueKeys(line string) (map[string]string, error) {
	decoder := json.NewDecoder(strings.NewReader(line))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, fmt.Errorf("no object: %w", err)
	}
	event := make(map[string]string)
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		value, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		if _, twice := event[key.(string)]; twice {
			return nil, fmt.Errorf("key %v is there twice", key)
		}
		event[key.(string)] = fmt.Sprint(value)
	}
	if _, err := decoder.Token(); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the event")
	}
	return event, nil
}
