package main

// The parts of Grafana's dashboard model that are used here, with its own names. Grafana 10 to 12 read all of them.

// object is a part of the model that depends on the kind of panel.
type object = map[string]any

type dashboard struct {
	Inputs        []input     `json:"__inputs"`
	Elements      object      `json:"__elements"`
	Requires      []require   `json:"__requires"`
	ID            *int        `json:"id"` // given by Grafana
	UID           string      `json:"uid"`
	Title         string      `json:"title"`
	Description   string      `json:"description"`
	Tags          []string    `json:"tags"`
	Editable      bool        `json:"editable"`
	GraphTooltip  int         `json:"graphTooltip"`
	Refresh       string      `json:"refresh"`
	SchemaVersion int         `json:"schemaVersion"`
	Time          timeRange   `json:"time"`
	Timezone      string      `json:"timezone"`
	Links         []object    `json:"links"`
	Annotations   annotations `json:"annotations"`
	Templating    templating  `json:"templating"`
	Panels        []panel     `json:"panels"`
}

// input is asked for when the dashboard is imported by hand.
type input struct {
	Name        string `json:"name"`
	Label       string `json:"label"`
	Description string `json:"description"`
	Type        string `json:"type"`
	PluginID    string `json:"pluginId"`
	PluginName  string `json:"pluginName"`
}

// require is what an import checks to be there.
type require struct {
	Type    string `json:"type"`
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version string `json:"version"`
}

type timeRange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type annotations struct {
	List []annotation `json:"list"`
}

type annotation struct {
	BuiltIn     int          `json:"builtIn,omitempty"`
	Name        string       `json:"name"`
	Type        string       `json:"type,omitempty"`
	Datasource  source       `json:"datasource"`
	Enable      bool         `json:"enable"`
	Hide        bool         `json:"hide"`
	IconColor   string       `json:"iconColor"`
	Filter      *panelFilter `json:"filter,omitempty"`
	Expr        string       `json:"expr,omitempty"`
	Step        string       `json:"step,omitempty"`
	TitleFormat string       `json:"titleFormat,omitempty"`
	TextFormat  string       `json:"textFormat,omitempty"`
	TagKeys     string       `json:"tagKeys,omitempty"`
	// ValueIsTime takes the value of a sample, in milliseconds, for the time of the event.
	ValueIsTime bool `json:"useValueForTime,omitempty"`
}

// panelFilter names the panels that an annotation is shown on.
type panelFilter struct {
	Exclude bool  `json:"exclude"`
	IDs     []int `json:"ids"`
}

type templating struct {
	List []variable `json:"list"`
}

type variable struct {
	Name        string  `json:"name"`
	Label       string  `json:"label"`
	Description string  `json:"description"`
	Type        string  `json:"type"`
	Datasource  *source `json:"datasource,omitempty"`
	// Query is the name of a plugin for a variable of type datasource, a [variableQuery] otherwise.
	Query      any      `json:"query"`
	Definition string   `json:"definition,omitempty"`
	Regex      string   `json:"regex"`
	Refresh    int      `json:"refresh"`
	Sort       int      `json:"sort"`
	Multi      bool     `json:"multi"`
	IncludeAll bool     `json:"includeAll"`
	AllValue   string   `json:"allValue,omitempty"`
	Current    selected `json:"current"`
	Options    []object `json:"options"`
	Hide       int      `json:"hide"`
}

type variableQuery struct {
	Kind  int    `json:"qryType"`
	Query string `json:"query"`
	RefID string `json:"refId"`
}

// selected is what a variable has chosen: a string, or a list of them for several values.
type selected struct {
	Text  any `json:"text"`
	Value any `json:"value"`
}

type source struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type gridPos struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

// panel is a panel, or the heading of a row of them.
type panel struct {
	ID              int          `json:"id"`
	Type            string       `json:"type"`
	Title           string       `json:"title"`
	Description     string       `json:"description,omitempty"`
	GridPos         gridPos      `json:"gridPos"`
	Datasource      *source      `json:"datasource,omitempty"`
	MaxDataPoints   int          `json:"maxDataPoints,omitempty"`
	Targets         []target     `json:"targets,omitempty"`
	FieldConfig     *fieldConfig `json:"fieldConfig,omitempty"`
	Options         object       `json:"options,omitempty"`
	Transformations []transform  `json:"transformations,omitempty"`
	// Collapsed and Panels are for rows; the panels of an open row follow it instead.
	Collapsed *bool    `json:"collapsed,omitempty"`
	Panels    *[]panel `json:"panels,omitempty"`
}

type target struct {
	RefID        string `json:"refId"`
	Datasource   source `json:"datasource"`
	EditorMode   string `json:"editorMode"`
	Expr         string `json:"expr"`
	Format       string `json:"format"`
	LegendFormat string `json:"legendFormat"`
	Instant      bool   `json:"instant"`
	Range        bool   `json:"range"`
}

type transform struct {
	ID      string `json:"id"`
	Options object `json:"options"`
}

type fieldConfig struct {
	Defaults  field      `json:"defaults"`
	Overrides []override `json:"overrides"`
}

type field struct {
	Unit       string     `json:"unit,omitempty"`
	Decimals   *int       `json:"decimals,omitempty"`
	Min        *float64   `json:"min,omitempty"`
	Max        *float64   `json:"max,omitempty"`
	NoValue    string     `json:"noValue,omitempty"`
	Color      object     `json:"color,omitempty"`
	Mappings   []object   `json:"mappings,omitempty"`
	Thresholds thresholds `json:"thresholds"`
	Custom     object     `json:"custom,omitempty"`
}

type thresholds struct {
	Mode  string `json:"mode"`
	Steps []step `json:"steps"`
}

// step is a colour from a value on; the first has none and is the base.
type step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"`
}

type override struct {
	Matcher    matcher    `json:"matcher"`
	Properties []property `json:"properties"`
}

type matcher struct {
	ID      string `json:"id"`
	Options any    `json:"options"`
}

type property struct {
	ID    string `json:"id"`
	Value any    `json:"value"`
}
