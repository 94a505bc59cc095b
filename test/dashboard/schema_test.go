//go:build suites

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"test/internal/npm"
)

// Every version of Grafana that we name can read every property, and has no name for one that is misspelt.
func TestTypes(t *testing.T) {
	if err := npm.Installed(); err != nil {
		t.Fatal(err)
	}
	program := typescript(t, load(t))
	for _, version := range []string{"10", "11", "12", "13"} {
		t.Run("Grafana "+version, func(t *testing.T) {
			if output := compile(t, version, program); output != "" {
				t.Error(output)
			}
		})
	}
}

// The check above finds what it is for.
func TestTypesAreStrict(t *testing.T) {
	if err := npm.Installed(); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		change func(*panel)
		want   string
	}{
		"option of the panel":    {func(p *panel) { p.Options["sortedBy"] = "Age" }, "sortedBy"},
		"value of an option":     {func(p *panel) { p.Options["cellHeight"] = "huge" }, "huge"},
		"setting of the field":   {func(p *panel) { p.FieldConfig.Defaults.Custom["aligned"] = "left" }, "aligned"},
		"property of a column":   {func(p *panel) { p.FieldConfig.Overrides[0].Properties[0].ID = "custom.breadth" }, "custom.breadth"},
		"value of that property": {func(p *panel) { p.FieldConfig.Overrides[0].Properties[0].Value = "wide" }, "'string' is not assignable to type 'number'"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := load(t)
			test.change(&d.Panels[slices.IndexFunc(d.Panels, func(p panel) bool { return p.Type == "table" })])
			if output := compile(t, "12", typescript(t, d)); !strings.Contains(output, test.want) {
				t.Errorf("want something about %s, got: %s", test.want, output)
			}
		})
	}
}

// typescript is a program that holds each part of the dashboard against its type.
func typescript(t *testing.T, d dashboard) string {
	t.Helper()
	var program bytes.Buffer
	program.WriteString("import type { Annotation, Frame, Panels, Variable } from './schema';\n")
	declare := func(name, kind string, value any) {
		text, err := json.MarshalIndent(value, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&program, "export const %s: %s = %s;\n", name, kind, text)
	}
	for _, p := range d.Panels {
		declare(fmt.Sprintf("panel%d", p.ID), fmt.Sprintf("Panels['%s']", p.Type), p)
	}
	declare("annotations", "Annotation[]", d.Annotations.List)
	declare("variables", "Variable[]", d.Templating.List)

	// The rest, without what is only for an import.
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var frame map[string]any
	if err := json.Unmarshal(text, &frame); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"panels", "annotations", "templating", "__inputs", "__elements", "__requires"} {
		delete(frame, key)
	}
	declare("frame", "Frame", frame)
	return program.String()
}

const tsconfig = `{
  "compilerOptions": {
    "strict": true, "noEmit": true, "module": "esnext", "moduleResolution": "bundler", "target": "es2022",
    "skipLibCheck": true, "preserveSymlinks": true, "types": []
  },
  "files": ["dashboard.ts"]
}`

// compile checks a program with the types of a version of Grafana, and returns what is wrong.
func compile(t *testing.T, version, program string) string {
	t.Helper()
	installed, err := filepath.Abs(filepath.Join(npm.Dir, "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	schema, err := os.ReadFile(filepath.Join(npm.Dir, "schema.ts"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "tsconfig.json"), tsconfig)
	write(t, filepath.Join(dir, "schema.ts"), string(schema))
	write(t, filepath.Join(dir, "dashboard.ts"), program)
	if err := os.MkdirAll(filepath.Join(dir, "node_modules", "@grafana"), 0o700); err != nil {
		t.Fatal(err)
	}
	// The types import each other by the name of the package.
	if err := os.Symlink(filepath.Join(installed, "grafana-"+version), filepath.Join(dir, "node_modules", "@grafana", "schema")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", filepath.Join(installed, "typescript", "bin", "tsc"), "--project", dir, "--pretty", "false")
	output, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if err != nil && len(output) == 0 {
		t.Fatal(err)
	}
	return string(output)
}
