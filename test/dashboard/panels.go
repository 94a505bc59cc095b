package main

import "maps"

// spec is what every panel has.
type spec struct {
	id                 int // never changes: links and alerts of users point to it
	title, description string
	width, height      int
	unit               string
	empty              string // shown without data
	queries            []query
}

// query is an expression, and the legend of its series.
type query struct{ expr, legend string }

const (
	// byPlan and byPlanStatus are legends. A plan without a name is known by its ID.
	byPlan = "{{plan_name}} {{plan_id}}"
	// kind of value
	instant = true
	ranged  = false
)

func (s spec) panel(kind string, now bool, format string) panel {
	p := panel{
		ID: s.id, Type: kind, Title: s.title, Description: s.description,
		GridPos:    gridPos{W: s.width, H: s.height},
		Datasource: &prometheus,
		FieldConfig: &fieldConfig{
			Defaults:  field{Unit: s.unit, NoValue: s.empty, Thresholds: steps("text")},
			Overrides: []override{},
		},
	}
	for i, q := range s.queries {
		p.Targets = append(p.Targets, target{
			RefID: ref(i), Datasource: prometheus, EditorMode: "code", Expr: q.expr, Format: format,
			LegendFormat: q.legend, Instant: now, Range: !now,
		})
	}
	return p
}

// ref is the name of the i-th query of a panel.
func ref(i int) string { return string(rune('A' + i)) }

// from is a step: a colour from a value on.
func from(value float64, color string) step { return step{color, &value} }

// steps are colours by value. The base is neutral unless it says that all is well.
func steps(base string, more ...step) thresholds {
	return thresholds{"absolute", append([]step{{Color: base}}, more...)}
}

// alarm colours every value from one on.
func alarm(color string) thresholds { return steps("text", from(1, color)) }

// stat shows one number for each query.
func stat(s spec, colors thresholds) panel {
	p := s.panel("stat", instant, "time_series")
	none := 0
	if s.unit == "none" {
		p.FieldConfig.Defaults.Decimals = &none
	}
	p.FieldConfig.Defaults.Color = object{"mode": "thresholds"}
	p.FieldConfig.Defaults.Thresholds = colors
	text := "value"
	if len(s.queries) > 1 {
		text = "value_and_name"
	}
	p.Options = object{
		"colorMode": "value", "graphMode": "none", "justifyMode": "auto", "orientation": "auto", "textMode": text,
		"wideLayout": true, "showPercentChange": false,
		"reduceOptions": object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
	}
	return p
}

// lines draws series over time.
func lines(s spec, changes ...func(*panel)) panel {
	p := s.panel("timeseries", ranged, "time_series")
	least := 0.0
	p.FieldConfig.Defaults.Min = &least
	p.FieldConfig.Defaults.Color = object{"mode": "palette-classic"}
	p.FieldConfig.Defaults.Custom = object{
		"drawStyle": "line", "lineInterpolation": "linear", "lineWidth": 1, "fillOpacity": 5, "gradientMode": "none",
		"showPoints": "auto", "pointSize": 4, "spanNulls": false, "axisPlacement": "auto", "axisLabel": "",
		"scaleDistribution": object{"type": "linear"}, "stacking": object{"mode": "none", "group": "A"},
		"thresholdsStyle": object{"mode": "off"}, "hideFrom": object{"legend": false, "tooltip": false, "viz": false},
	}
	p.Options = object{"legend": legend("list"), "tooltip": tooltip("multi")}
	for _, change := range changes {
		change(&p)
	}
	return p
}

func legend(mode string) object {
	return object{"displayMode": mode, "placement": "bottom", "showLegend": true, "calcs": []string{}}
}

func tooltip(mode string) object { return object{"mode": mode, "sort": "desc"} }

// stacked puts the series on top of each other.
func stacked(p *panel) {
	maps.Copy(p.FieldConfig.Defaults.Custom, object{"stacking": object{"mode": "normal", "group": "A"}, "fillOpacity": 40})
}

// counting names what an axis without a unit counts, and leaves it without fractions.
func counting(things string) func(*panel) {
	return func(p *panel) {
		none := 0
		p.FieldConfig.Defaults.Decimals = &none
		p.FieldConfig.Defaults.Custom["axisLabel"] = things
	}
}

// signed lets an axis go below zero.
func signed(p *panel) { p.FieldConfig.Defaults.Min = nil }

// upTo ends an axis.
func upTo(most float64) func(*panel) {
	return func(p *panel) { p.FieldConfig.Defaults.Max = &most }
}

// limits draws threshold lines.
func limits(more ...step) func(*panel) {
	return func(p *panel) {
		p.FieldConfig.Defaults.Thresholds = steps("transparent", more...)
		p.FieldConfig.Defaults.Custom["thresholdsStyle"] = object{"mode": "dashed"}
	}
}

// dashed draws the series with a name as a line that is a limit rather than a measurement.
func dashed(name, color string) func(*panel) {
	return func(p *panel) {
		p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{
			matcher{"byName", name},
			[]property{
				{"color", object{"mode": "fixed", "fixedColor": color}},
				{"custom.lineStyle", object{"fill": "dash", "dash": []int{10, 10}}},
				{"custom.fillOpacity", 0},
			},
		})
	}
}

// inStatusColors gives the series of a status its colour and its word.
func inStatusColors(p *panel) {
	for _, s := range statuses {
		p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{
			matcher{"byName", s.status},
			[]property{{"displayName", s.word}, {"color", object{"mode": "fixed", "fixedColor": s.color}}},
		})
	}
}

// timeline shows a code of each series over time, as bands of colours with words.
func timeline(s spec, codes []code) panel {
	p := s.panel("state-timeline", ranged, "time_series")
	p.FieldConfig.Defaults.Color = object{"mode": "thresholds"}
	p.FieldConfig.Defaults.Mappings = mappings(codes)
	p.FieldConfig.Defaults.Custom = object{"fillOpacity": 80, "lineWidth": 0}
	p.Options = object{
		"alignValue": "left", "mergeValues": true, "rowHeight": 0.85, "showValue": "auto", "perPage": 30,
		"legend": legend("list"), "tooltip": tooltip("single"),
	}
	return p
}

// mappings turn codes into words and colours.
func mappings(codes []code) []object {
	words := make(object, len(codes))
	for i, c := range codes {
		words[codeText(c)] = object{"text": c.word, "color": c.color, "index": i}
	}
	return []object{{"type": "value", "options": words}}
}

// heat shows how many of a histogram's observations were where, over time.
func heat(s spec, columns int) panel {
	p := s.panel("heatmap", ranged, "heatmap")
	p.MaxDataPoints = columns
	p.FieldConfig.Defaults.Custom = object{
		"scaleDistribution": object{"type": "linear"}, "hideFrom": object{"legend": false, "tooltip": false, "viz": false},
	}
	p.Options = object{
		"calculate": false, "cellGap": 1, "showValue": "never",
		"cellValues":   object{"unit": "none", "decimals": 0},
		"color":        object{"mode": "scheme", "scheme": "Blues", "exponent": 0.5, "fill": "dark-blue", "reverse": false, "scale": "exponential", "steps": 64},
		"exemplars":    object{"color": "rgba(255,0,255,0.7)"},
		"filterValues": object{"le": 1e-9},
		"legend":       object{"show": true},
		"rowsFrame":    object{"layout": "auto"},
		"tooltip":      object{"mode": "single", "yHistogram": false},
		"yAxis":        object{"axisPlacement": "left", "reverse": false, "unit": s.unit},
	}
	return p
}

// colored draws the series with a name in a colour.
func colored(name, color string) func(*panel) {
	return func(p *panel) {
		p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{
			matcher{"byName", name}, []property{{"color", object{"mode": "fixed", "fixedColor": color}}},
		})
	}
}
