package exporter

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// The values of Accept that Prometheus sends, by format.
const (
	AcceptText        = "text/plain;version=0.0.4"
	AcceptOpenMetrics = "application/openmetrics-text;version=1.0.0"
	AcceptProtobuf    = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
)

// Families scrapes the page as text or protobuf and returns its families by name. Only protobuf carries native
// histograms. There is no parser of OpenMetrics to hand; [ParsePage] reads its samples.
func (p *Process) Families(accept string) map[string]*dto.MetricFamily {
	p.t.Helper()
	answer := p.Do(http.MethodGet, "/metrics", "Accept: "+accept)
	if answer.Code != http.StatusOK {
		p.t.Fatalf("/metrics answers %d: %s", answer.Code, answer.Body)
	}
	families, err := parseFamilies(answer)
	if err != nil {
		p.t.Fatal(err)
	}
	return families
}

func parseFamilies(answer Answer) (map[string]*dto.MetricFamily, error) {
	format := expfmt.ResponseFormat(answer.Header)
	if kind := format.FormatType(); kind != expfmt.TypeTextPlain && kind != expfmt.TypeProtoDelim {
		return nil, fmt.Errorf("parse page: no parser for %q", answer.Header.Get("Content-Type"))
	}
	families := make(map[string]*dto.MetricFamily)
	decoder := expfmt.NewDecoder(strings.NewReader(answer.Body), format)
	for {
		family := new(dto.MetricFamily)
		switch err := decoder.Decode(family); {
		case errors.Is(err, io.EOF):
			return families, nil
		case err != nil:
			return nil, fmt.Errorf("parse page: %w", err)
		}
		families[family.GetName()] = family
	}
}
