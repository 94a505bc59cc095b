// Dashboard writes the Grafana dashboard of the exporter, deploy/grafana/aliyun-dbs-downloads.json. The dashboard is
// made from code, so that what many panels share stands in one place: filters, joins, words and colours.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

// file is the dashboard, seen from the folder of the test module.
const file = "../deploy/grafana/aliyun-dbs-downloads.json"

func main() {
	text, err := render()
	if err == nil {
		err = os.WriteFile(file, text, 0o644) //nolint:gosec // for everyone to read, as all of the repository
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "dashboard:", err)
		os.Exit(1)
	}
}

// render returns the dashboard as JSON, always the same.
func render() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // queries compare
	encoder.SetIndent("", "  ")
	err := encoder.Encode(newDashboard())
	return text.Bytes(), err
}
