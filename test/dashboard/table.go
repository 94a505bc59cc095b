package main

import "strconv"

// column is a column of a table: a label of the first query, or the value of a query.
type column struct {
	label, expr string // one of them
	name        string
	unit        string // of a value
	width       int
	codes       []code // the words for a value that is a code
	colors      *thresholds
	link        string
	empty       string // what stands there without a value; a dash otherwise
}

// table shows the last values in rows that have the same labels.
func table(s spec, columns []column, sortBy string, descending bool) panel {
	for _, c := range columns {
		if c.expr != "" {
			s.queries = append(s.queries, query{expr: c.expr})
		}
	}
	p := s.panel("table", instant, "table")
	p.FieldConfig.Defaults.Custom = object{"align": "auto", "cellOptions": object{"type": "auto"}, "filterable": true, "inspect": false}
	p.Options = object{
		"showHeader": true, "cellHeight": "sm", "frameIndex": 0,
		"footer":           object{"show": false, "countRows": false, "enablePagination": true, "fields": []string{}, "reducer": []string{"sum"}},
		"sortBy":           []object{{"displayName": sortBy, "desc": descending}},
		"enablePagination": true, // since Grafana 12.2; a property of the footer before
	}
	p.Transformations = arrange(columns, len(s.queries))
	for _, c := range columns {
		p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{matcher{"byName", c.name}, c.properties()})
	}
	return p
}

// arrange joins the results of the queries and leaves the columns, in their order and under their names.
func arrange(columns []column, queries int) []transform {
	order, names, kept := object{}, object{}, []string{}
	value := 0
	for i, c := range columns {
		field := c.label
		if c.expr != "" {
			field = "Value"
			if queries > 1 {
				field += " #" + ref(value)
			}
			value++
		}
		order[field], names[field] = i, c.name
		kept = append(kept, field)
	}
	return []transform{
		{"merge", object{}},
		{"filterFieldsByName", object{"include": object{"names": kept}}},
		{"organize", object{"excludeByName": object{}, "indexByName": order, "renameByName": names}},
	}
}

func (c column) properties() []property {
	properties := []property{{"custom.width", c.width}}
	add := func(id string, value any) { properties = append(properties, property{id, value}) }
	if c.expr != "" {
		add("unit", c.unit)
		if c.empty == "" {
			c.empty = "–"
		}
		add("noValue", c.empty)
	}
	if c.unit == "none" {
		add("decimals", 0)
	}
	if c.codes != nil {
		add("mappings", mappings(c.codes))
	}
	if c.colors != nil {
		add("thresholds", c.colors)
		add("color", object{"mode": "thresholds"})
	}
	if c.codes != nil || c.colors != nil {
		add("custom.cellOptions", object{"type": "color-text"})
	}
	if c.link != "" {
		add("links", []object{{"title": "Only this plan", "url": c.link}})
	}
	return properties
}

// codeText is a code as the key of a mapping.
func codeText(c code) string { return strconv.Itoa(c.value) }
