package packaging

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"test/internal/exporter"
)

func chartFolder(t testing.TB) string { return filepath.Join(exporter.Root(t), "deploy", "helm") }

// Every value is in the schema, in values.yaml and in the chart's README.
func TestChartValues(t *testing.T) {
	read := func(name string) (text []byte, tree map[string]any) {
		text, err := os.ReadFile(filepath.Join(chartFolder(t), name))
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(name) != ".md" {
			if err := yaml.UnmarshalStrict(text, &tree); err != nil {
				t.Fatal(err)
			}
		}
		return text, tree
	}
	_, values := read("values.yaml")
	_, schema := read("values.schema.json")
	readme, _ := read("README.md")
	var walk func(path string, values, schema map[string]any)
	walk = func(path string, values, schema map[string]any) {
		properties, _ := schema["properties"].(map[string]any)
		for key, sub := range properties {
			value, ok := values[key]
			if !ok && path+key != "global" && path != "config." && !strings.HasPrefix(path, "webConfig.data.") {
				t.Errorf("values.yaml lacks %s%s", path, key)
			}
			if path == "" && key != "global" && !strings.Contains(string(readme), "`"+key) {
				t.Errorf("README.md lacks %s", key)
			}
			below, _ := value.(map[string]any)
			walk(path+key+".", below, sub.(map[string]any))
		}
	}
	walk("", values, schema)
}
