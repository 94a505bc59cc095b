package main

// prometheus is the data source that the variable of that name has chosen. Panels use the variable and not the input
// of an import, since nobody replaces inputs in a file that is provisioned.
var prometheus = source{"prometheus", "${datasource}"}

const (
	uid = "aliyun-dbs-downloads"
	// schema is the version of the model in Grafana 10; newer ones migrate it when they load it.
	schema = 39
	// columns is the width of every dashboard.
	columns = 24
	// classicQuery tells the editor of a variable that its query is text.
	classicQuery = 5
)

func newDashboard() dashboard {
	return dashboard{
		Inputs: []input{{
			Name: "DS_PROMETHEUS", Label: "Prometheus", Description: "The Prometheus that scrapes aliyun_dbs_exporter",
			Type: "datasource", PluginID: "prometheus", PluginName: "Prometheus",
		}},
		Elements: object{},
		Requires: []require{
			{"grafana", "grafana", "Grafana", "10.0.0"},
			{"datasource", "prometheus", "Prometheus", "1.0.0"},
			{"panel", "heatmap", "Heatmap", ""},
			{"panel", "stat", "Stat", ""},
			{"panel", "state-timeline", "State timeline", ""},
			{"panel", "table", "Table", ""},
			{"panel", "timeseries", "Time series", ""},
		},
		UID:           uid,
		Title:         "Alibaba Cloud DBS downloads",
		Description:   "Download tasks of backup sets of Alibaba Cloud Database Backup Service, as aliyun_dbs_exporter sees them.",
		Tags:          []string{"aliyun", "dbs", "backup"},
		GraphTooltip:  1, // one cross hair for all panels
		Refresh:       "1m",
		SchemaVersion: schema,
		Time:          timeRange{"now-24h", "now"},
		Timezone:      "browser",
		Links:         []object{},
		Annotations:   annotations{failures()},
		Templating:    templating{variables()},
		Panels: layout([]row{
			{100, "Health", health()},
			{200, "Plans", plans()},
			{300, "Waiting", waiting()},
			{400, "Tasks", tasks()},
			{500, "Trends", trends()},
			{600, "Exporter", exporter()},
		}),
	}
}

// row is a heading and the panels below it.
type row struct {
	id     int
	title  string
	panels []panel
}

// layout places the panels of each row from left to right, in lines as high as their highest panel.
func layout(rows []row) []panel {
	var all []panel
	y := 0
	for _, r := range rows {
		open := false
		all = append(all, panel{ID: r.id, Type: "row", Title: r.title, GridPos: gridPos{H: 1, W: columns, Y: y}, Collapsed: &open, Panels: &[]panel{}})
		y++
		x, height := 0, 0
		for _, p := range r.panels {
			if x+p.GridPos.W > columns {
				x, y, height = 0, y+height, 0
			}
			p.GridPos.X, p.GridPos.Y = x, y
			x, height = x+p.GridPos.W, max(height, p.GridPos.H)
			all = append(all, p)
		}
		y += height
	}
	return all
}

// failures are marks in the trends, at the time at which a task failed rather than the one at which it was seen.
func failures() []annotation {
	mark := func(name, status, color, title string) annotation {
		return annotation{
			Name: name, Datasource: prometheus, Enable: true, IconColor: color,
			Filter:      &panelFilter{IDs: []int{501, 502, 504, 505, 506, 507}},
			Expr:        named(perPlanWhere("aliyun_dbs_download_last_failure_timestamp_seconds", `status="`+status+`"`)) + " * 1000",
			Step:        "1m",
			TitleFormat: title,
			TextFormat:  "{{plan_name}} {{plan_id}} ({{account}}, {{region_id}})",
			ValueIsTime: true,
		}
	}
	return []annotation{
		{
			BuiltIn: 1, Name: "Annotations & Alerts", Type: "dashboard", Datasource: source{"grafana", "-- Grafana --"},
			Enable: true, Hide: true, IconColor: "rgba(0, 211, 255, 1)",
		},
		mark("Failed downloads", "stop", "red", "Download failed"),
		mark("Failed prechecks", "init", "orange", "Precheck failed"),
	}
}

// variables narrow the dashboard down: to a Prometheus, to exporters, to accounts, to regions, to plans.
func variables() []variable {
	chosen := selected{"${DS_PROMETHEUS}", "${DS_PROMETHEUS}"} // what an import asked for
	everything := selected{[]string{"All"}, []string{"$__all"}}
	values := func(name, label, description, query string) variable {
		return variable{
			Name: name, Label: label, Description: description, Type: "query", Datasource: &prometheus,
			Query: variableQuery{classicQuery, query, "PrometheusVariableQueryEditor-VariableQuery"}, Definition: query,
			Refresh: 2, Sort: 1, Multi: true, IncludeAll: true, Current: everything, Options: []object{},
		}
	}
	plan := values("plan", "Plan", "Backup plan, by its name where it has one", `query_result(group by (plan_id, plan_name) (aliyun_dbs_plan_info{`+ofTargets+`}))`)
	plan.Regex = `/plan_id="(?<value>[^"]+)".*plan_name="(?<text>[^"]*)"/`
	plan.AllValue = ".+" // shorter than a list of all of them
	return []variable{
		{
			Name: "datasource", Label: "Data source", Description: "The Prometheus that scrapes the exporter", Type: "datasource",
			Query: "prometheus", Refresh: 1, Current: chosen, Options: []object{},
		},
		values("job", "Job", "Job under which Prometheus scrapes the exporter", `label_values(aliyun_dbs_exporter_build_info, job)`),
		values("account", "Account", "Name of the account in the exporter's configuration", `label_values(aliyun_dbs_plan_info{job=~"$job"}, account)`),
		values("region_id", "Region", "Region of the backup plans", `label_values(aliyun_dbs_plan_info{job=~"$job", account=~"$account"}, region_id)`),
		plan,
	}
}
