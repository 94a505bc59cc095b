package exporter

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Answer is what the exporter answered.
type Answer struct {
	Code   int
	Header http.Header
	Body   string
}

// Do sends a request with header lines such as "Accept: text/plain".
func (p *Process) Do(method, path string, headers ...string) Answer {
	p.t.Helper()
	answer, err := p.Try(method, path, headers...)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer
}

// Try is [Process.Do] for requests that may fail.
func (p *Process) Try(method, path string, headers ...string) (Answer, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.t.Context()), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, p.URL+path, http.NoBody)
	if err != nil {
		return Answer{}, err
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return Answer{resp.StatusCode, resp.Header, string(body)}, err
}

// client never uses a proxy and shows redirects.
var client = &http.Client{
	Transport:     &http.Transport{DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Get returns a page that must be there.
func (p *Process) Get(path string, headers ...string) string {
	p.t.Helper()
	answer := p.Do(http.MethodGet, path, headers...)
	if answer.Code != http.StatusOK {
		p.t.Fatalf("%s answers %d: %s", path, answer.Code, answer.Body)
	}
	return answer.Body
}

// Ready waits until the first poll of every plan has ended, well or badly.
func (p *Process) Ready() {
	p.t.Helper()
	Eventually(p.t, func() error {
		if answer := p.Do(http.MethodGet, "/-/ready"); answer.Code != http.StatusOK {
			return fmt.Errorf("not ready: %s", answer.Body)
		}
		return nil
	})
}

// Polled waits until a poll of every plan has succeeded. The first one may run out of time on a busy machine.
func (p *Process) Polled() {
	p.t.Helper()
	Eventually(p.t, func() error {
		page, succeeded := p.Metrics(), 0
		for series, at := range page {
			if strings.HasPrefix(series, "aliyun_dbs_poll_last_success_timestamp_seconds{") && at > 0 {
				succeeded++
			}
		}
		if plans := int(page.Sum("aliyun_dbs_plan_info")); succeeded == 0 || succeeded < plans {
			return fmt.Errorf("a poll of %d plans of %d has succeeded", succeeded, plans)
		}
		return nil
	})
}
