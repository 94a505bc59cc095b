package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	kit "test/internal/exporter"
)

func TestMain(m *testing.M) {
	code := m.Run()
	kit.Clean()
	os.Exit(code)
}

func committed(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// load reads the committed dashboard, as Grafana gets it.
func load(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	decoder := json.NewDecoder(bytes.NewReader(committed(t)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		t.Fatal(err)
	}
	return d
}

// charts are the panels that show data.
func charts(t *testing.T) []panel {
	t.Helper()
	return slices.DeleteFunc(load(t).Panels, func(p panel) bool { return p.Type == "row" })
}

func TestFileIsWhatTheGeneratorMakes(t *testing.T) {
	want, err := render()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed(t), want) {
		t.Error("deploy/grafana is not what the generator makes: run `make dashboard`")
	}
}

// IDs never change: links point to them, and so do the annotations of users.
func TestPanels(t *testing.T) {
	want := []string{
		"100 row Health",
		"101 stat Plans",
		"102 stat Failed in 24 h",
		"103 stat Precheck failed",
		"104 stat Running",
		"105 stat Paused",
		"106 stat Queued",
		"107 stat Oldest data",
		"108 stat Firing alerts",
		"200 row Plans",
		"201 table Plans",
		"202 state-timeline State of plans",
		"203 timeseries Tasks by status",
		"204 state-timeline State of gateways",
		"205 table Gateways",
		"300 row Waiting",
		"301 timeseries Oldest in precheck",
		"302 timeseries Oldest queued",
		"303 timeseries Oldest paused",
		"304 timeseries Oldest running",
		"305 table Unfinished tasks",
		"400 row Tasks",
		"401 table Tasks",
		"402 state-timeline Status of tasks",
		"500 row Trends",
		"501 timeseries Duration of the last success",
		"502 timeseries Durations of a day",
		"503 heatmap Durations",
		"504 timeseries Bytes by status",
		"505 timeseries Throughput of the last success",
		"506 timeseries Finished and failed per day",
		"507 timeseries Success ratio over 7 days",
		"600 row Exporter",
		"601 timeseries Age of the last successful poll",
		"602 timeseries Duration of the last poll",
		"611 timeseries Skipped polls",
		"603 timeseries API requests",
		"604 timeseries API failures",
		"605 timeseries API latency",
		"606 timeseries Hidden tasks and invalid rows",
		"607 timeseries Clock skew",
		"608 timeseries Samples scraped",
		"609 timeseries Memory",
		"610 table Build",
	}
	d := load(t)
	var got []string
	for _, p := range d.Panels {
		got = append(got, fmt.Sprintf("%d %s %s", p.ID, p.Type, p.Title))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("panels (-want +got):\n%s", diff)
	}
	if d.UID != "aliyun-dbs-downloads" {
		t.Errorf("uid is %q, and every link to the dashboard is dead", d.UID)
	}
}

func TestEveryPanelExplainsItself(t *testing.T) {
	for _, p := range charts(t) {
		if p.Description == "" {
			t.Errorf("%d %s has no description", p.ID, p.Title)
		}
		if p.FieldConfig.Defaults.NoValue == "" {
			t.Errorf("%d %s says nothing when it is empty", p.ID, p.Title)
		}
		if p.FieldConfig.Defaults.Unit == "" {
			t.Errorf("%d %s has no unit", p.ID, p.Title)
		}
		if p.Type == "timeseries" && p.FieldConfig.Defaults.Unit == "none" && p.FieldConfig.Defaults.Custom["axisLabel"] == "" {
			t.Errorf("%d %s does not say what its axis counts", p.ID, p.Title)
		}
		if base := p.FieldConfig.Defaults.Thresholds.Steps[0]; base.Value != nil || base.Color != "text" && base.Color != "transparent" {
			t.Errorf("%d %s is %s without data", p.ID, p.Title, base.Color)
		}
		if p.Type == "heatmap" && p.Options["yAxis"].(object)["unit"] != p.FieldConfig.Defaults.Unit {
			t.Errorf("%d %s has no unit on its axis", p.ID, p.Title)
		}
		if len(p.Targets) > 1 || p.Type != "stat" {
			for _, q := range p.Targets {
				if q.Format != "table" && q.LegendFormat == "" {
					t.Errorf("%d %s has series without a legend", p.ID, p.Title)
				}
			}
		}
	}
}

func TestEveryColumnHasAUnit(t *testing.T) {
	for _, p := range charts(t) {
		if p.Type != "table" {
			continue
		}
		names := p.Transformations[len(p.Transformations)-1].Options["renameByName"].(object)
		for field, name := range names {
			i := slices.IndexFunc(p.FieldConfig.Overrides, func(o override) bool { return o.Matcher.Options == name })
			if i < 0 {
				t.Errorf("%d %s: column %s has no properties", p.ID, p.Title, name)
				continue
			}
			unit := slices.ContainsFunc(p.FieldConfig.Overrides[i].Properties, func(p property) bool { return p.ID == "unit" && p.Value != "" })
			if unit != strings.HasPrefix(field, "Value") {
				t.Errorf("%d %s: column %s has a unit: %t", p.ID, p.Title, name, unit)
			}
		}
		sorted := p.Options["sortBy"].([]any)[0].(object)["displayName"]
		if !slices.ContainsFunc(p.FieldConfig.Overrides, func(o override) bool { return o.Matcher.Options == sorted }) {
			t.Errorf("%d %s is sorted by %s, which is no column", p.ID, p.Title, sorted)
		}
	}
}

func TestLayout(t *testing.T) {
	panels := load(t).Panels
	for i, p := range panels {
		g := p.GridPos
		if g.W < 3 || g.H < 1 || g.X < 0 || g.Y < 0 || g.X+g.W > 24 {
			t.Errorf("%d %s does not fit: %+v", p.ID, p.Title, g)
		}
		for _, other := range panels[:i] {
			o := other.GridPos
			if g.X < o.X+o.W && o.X < g.X+g.W && g.Y < o.Y+o.H && o.Y < g.Y+g.H {
				t.Errorf("%d %s lies over %d %s", p.ID, p.Title, other.ID, other.Title)
			}
		}
	}
}

// An import by hand replaces the inputs, provisioning from a file does not; no panel may depend on it.
func TestImportAndProvisioning(t *testing.T) {
	d := load(t)
	if diff := cmp.Diff([]input{{
		Name: "DS_PROMETHEUS", Label: "Prometheus", Description: "The Prometheus that scrapes aliyun_dbs_exporter",
		Type: "datasource", PluginID: "prometheus", PluginName: "Prometheus",
	}}, d.Inputs); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}
	imported := strings.ReplaceAll(string(committed(t)), "${DS_PROMETHEUS}", "the-uid")
	var got dashboard
	if err := json.Unmarshal([]byte(imported), &got); err != nil {
		t.Fatal(err)
	}
	chosen := got.Templating.List[0]
	if chosen.Name != "datasource" || chosen.Type != "datasource" || chosen.Query != "prometheus" || chosen.Current.Value != "the-uid" {
		t.Errorf("an import does not choose the data source: %+v", chosen)
	}
	got.Templating.List[0].Current = d.Templating.List[0].Current
	if diff := cmp.Diff(d, got); diff != "" {
		t.Errorf("an import changes more than the data source (-provisioned +imported):\n%s", diff)
	}
	for _, s := range sources(d) {
		if s != (source{"prometheus", "${datasource}"}) {
			t.Errorf("%+v is not the data source that was chosen", s)
		}
	}
}

// sources are all data sources but that of Grafana's own annotations.
func sources(d dashboard) []source {
	var all []source
	for _, a := range d.Annotations.List {
		if a.BuiltIn == 0 {
			all = append(all, a.Datasource)
		}
	}
	for _, v := range d.Templating.List[1:] {
		all = append(all, *v.Datasource)
	}
	for _, p := range d.Panels {
		if p.Datasource != nil {
			all = append(all, *p.Datasource)
		}
		for _, q := range p.Targets {
			all = append(all, q.Datasource)
		}
	}
	return all
}

func TestRequirements(t *testing.T) {
	d := load(t)
	used := map[string]bool{}
	for _, p := range d.Panels {
		used[p.Type] = p.Type != "row"
	}
	delete(used, "row")
	required := map[string]bool{}
	for _, r := range d.Requires {
		if r.Type == "panel" {
			required[r.ID] = true
		}
	}
	if diff := cmp.Diff(used, required); diff != "" {
		t.Errorf("kinds of panels (-used +required):\n%s", diff)
	}
	for _, deprecated := range []string{"graph", "singlestat", "table-old", "heatmap-old", "grafana-piechart-panel", "grafana-worldmap-panel"} {
		if used[deprecated] {
			t.Errorf("%s is gone from newer versions of Grafana", deprecated)
		}
	}
}

func TestAnnotationsAreShownSomewhere(t *testing.T) {
	d := load(t)
	for _, a := range d.Annotations.List {
		if a.BuiltIn != 0 {
			continue
		}
		for _, id := range a.Filter.IDs {
			if !slices.ContainsFunc(d.Panels, func(p panel) bool { return p.ID == id && p.Type == "timeseries" }) {
				t.Errorf("%s is shown on panel %d, which draws no time", a.Name, id)
			}
		}
	}
}
