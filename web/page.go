package web

import (
	"bytes"
	"cmp"
	_ "embed" // the page and its style
	"encoding/json"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/version"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/collector/poll"
)

var (
	//go:embed assets/status.html
	pageText string
	//go:embed assets/status.css
	style []byte
)

const (
	// pageSize is how many plans a page shows. More are slow to read, and slow
	// to draw on phones.
	pageSize = 100
	// maxQuery limits the text to search for; the longest name has 256 bytes.
	maxQuery = 256
)

// statusPages show the state of targets and plans to people and programs.
type statusPages struct {
	about    about
	snapshot func() *poll.Snapshot
	reload   *config.Reloader
	// metrics is the path of the metrics, relative to the status page.
	metrics  string
	profiles bool
	html     *template.Template
	logger   *slog.Logger
}

func newStatusPages(o Options) (*statusPages, error) {
	html, err := template.New("status").Funcs(words).Parse(pageText)
	if err != nil {
		return nil, err
	}
	return &statusPages{
		about: about{
			Version:    version.Version,
			Revision:   version.GetRevision(),
			StartedAt:  time.Now(),
			ConfigFile: o.ConfigFile,
		},
		snapshot: o.Snapshot,
		reload:   o.Reload,
		metrics:  strings.TrimPrefix(o.TelemetryPath, "/"),
		profiles: o.EnablePprof,
		html:     html,
		logger:   o.Logger,
	}, nil
}

func (s *statusPages) document() document {
	return newDocument(s.about, s.snapshot(), s.reload.Last())
}

// serveJSON answers with the document, all plans included.
func (s *statusPages) serveJSON(w http.ResponseWriter, _ *http.Request) {
	body, err := json.Marshal(s.document())
	if err != nil {
		s.logger.Error("Status not written as JSON", "err", err)
		http.Error(w, "The status cannot be written as JSON.", http.StatusInternalServerError)
		return
	}
	answer(w, "application/json", append(body, '\n'))
}

// serveHTML answers with the page that the query asks for.
func (s *statusPages) serveHTML(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	if err := s.html.Execute(&body, s.page(r.URL.Query())); err != nil {
		s.logger.Error("Status page not written", "err", err)
		http.Error(w, "The status page cannot be written.", http.StatusInternalServerError)
		return
	}
	answer(w, "text/html; charset=utf-8", body.Bytes())
}

// answer writes body, uncacheable.
func answer(w http.ResponseWriter, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

// page is the data of the template: the part of a document that a query asks
// for.
type page struct {
	document
	Metrics  string
	Profiles bool
	// Tally counts all plans by state, and Failing those that need a person.
	Tally   map[string]int
	Failing int
	// Query and FailingOnly are the filter.
	Query       string
	FailingOnly bool
	// Matches is the number of plans that pass the filter. Rows are those on
	// this page, and First is the number of the first one.
	Matches int
	First   int
	Rows    []*planStatus
	// Number is the number of this page, from 1 to Pages.
	Number, Pages int
}

func (s *statusPages) page(query url.Values) *page {
	p := &page{
		document:    s.document(),
		Metrics:     s.metrics,
		Profiles:    s.profiles,
		Tally:       make(map[string]int),
		Query:       searchText(query.Get("q")),
		FailingOnly: query.Get("show") == "failing",
	}
	var matches []*planStatus
	wanted := strings.ToLower(p.Query)
	for _, plan := range p.Plans {
		p.Tally[string(plan.State)]++
		if plan.State.failing() {
			p.Failing++
		}
		if contains(plan, wanted) && (!p.FailingOnly || plan.State.failing()) {
			matches = append(matches, plan)
		}
	}
	p.Matches = len(matches)
	p.Pages = max(1, (p.Matches+pageSize-1)/pageSize)
	number, _ := strconv.Atoi(query.Get("page")) // an invalid page number means page 1
	p.Number = min(max(number, 1), p.Pages)
	first := (p.Number - 1) * pageSize
	p.First = first + 1
	p.Rows = matches[first:min(first+pageSize, p.Matches)]
	return p
}

// searchText returns the input without surrounding space, as valid UTF-8 of at
// most maxQuery bytes.
func searchText(s string) string {
	return strings.ToValidUTF8(strings.TrimSpace(s[:min(len(s), maxQuery)]), "")
}

// contains reports whether a text in lower case is part of the plan's name, ID,
// account or region.
func contains(p *planStatus, text string) bool {
	for _, field := range []string{p.Name, p.ID, p.Account, p.RegionID} {
		if strings.Contains(strings.ToLower(field), text) {
			return true
		}
	}
	return false
}

// Moment returns a time as this page shows it.
func (p *page) Moment(t time.Time) moment { return moment{t, p.At} }

// Last is the number of the last plan on the page.
func (p *page) Last() int { return p.First + len(p.Rows) - 1 }

// Filtered reports whether a filter is set.
func (p *page) Filtered() bool { return p.Query != "" || p.FailingOnly }

// Link returns the address of another page of the same filter, relative to the
// status page.
func (p *page) Link(number int) string {
	query := make(url.Values)
	if p.Query != "" {
		query.Set("q", p.Query)
	}
	if p.FailingOnly {
		query.Set("show", "failing")
	}
	if number > 1 {
		query.Set("page", strconv.Itoa(number))
	}
	return "./?" + cmp.Or(query.Encode(), "page=1") + "#plans"
}
