package collector

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// KeyError is a fault of a configuration file. It names the place and never repeats the value, which may be a secret
// that slipped into the wrong line; that is also why the YAML library's own messages are not passed on.
type KeyError struct {
	// File is the name of the file as it was given.
	File string
	// Line is where the key, or the nearest one above it, stands; counted from 1.
	Line int
	// Key is the path of the key, such as targets[0].plans[1].id; empty for the file as a whole.
	Key string
	// Problem says what is wrong and what is wanted.
	Problem string
}

func (e *KeyError) Error() string {
	text := fmt.Sprintf("%s:%d: ", e.File, e.Line)
	if e.Key != "" {
		text += e.Key + ": "
	}
	return text + e.Problem
}

// maxAliasDepth bounds how deep YAML aliases and nested blocks are followed; one that holds itself has no end.
const maxAliasDepth = 16

// document is a parsed file that remembers where its keys stand.
type document struct {
	file  string
	lines map[string]int
}

// defaulter is a block whose defaults are not the zero values.
type defaulter interface{ setDefaults() }

// decode fills the struct behind out from YAML text: one document, only known keys, each at most once. An empty value
// leaves the default.
func (d *document) decode(text []byte, out any) error {
	d.lines = make(map[string]int)
	var root yaml.Node
	if err := yaml.Load(text, &root); err != nil {
		return d.syntaxError(err)
	}
	return d.value(root.Content[0], reflect.ValueOf(out).Elem(), "", 0)
}

// syntaxError translates what the parser says. Its messages about single characters and structure are its own words;
// others may quote the file and are replaced.
func (d *document) syntaxError(err error) error {
	problem, line := "is not valid YAML", 1
	if loadErr, ok := errors.AsType[*yaml.LoadError](err); ok {
		line = max(loadErr.Mark.Line, 1)
		switch {
		case strings.Contains(loadErr.Message, "no documents"):
			problem = "the file is empty; start from config.example.yml"
		case strings.Contains(loadErr.Message, "expected single document"):
			problem = "the file holds more than one document; remove what follows the second ---"
		case loadErr.Stage == yaml.ScannerStage, loadErr.Stage == yaml.ParserStage:
			problem += ": " + quoted.ReplaceAllString(loadErr.Message, "…")
		}
	}
	return &KeyError{File: d.file, Line: line, Problem: problem}
}

// quoted is what a message may have taken from the file.
var quoted = regexp.MustCompile("['\"`].*['\"`]")

func (d *document) fail(key, problem string) error {
	return &KeyError{File: d.file, Line: d.line(key), Key: key, Problem: problem}
}

// line returns where a key stands, or, if it is missing, the block that should have it.
func (d *document) line(key string) int {
	for {
		if line, ok := d.lines[key]; ok {
			return line
		}
		i := strings.LastIndexAny(key, ".[")
		if i < 0 {
			return 1
		}
		key = key[:i]
	}
}

// has tells whether the file sets a key.
func (d *document) has(key string) bool {
	_, ok := d.lines[key]
	return ok
}

// value decodes one node into v.
func (d *document) value(node *yaml.Node, v reflect.Value, key string, depth int) error {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if depth > maxAliasDepth {
		return d.fail(key, "is nested too deeply, or holds itself")
	}
	if node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null" {
		return nil
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if block, ok := reflect.TypeAssert[defaulter](v.Addr()); ok {
		block.setDefaults()
	}
	_, isLeaf := leafWants[v.Type()]
	switch {
	case v.Kind() == reflect.Struct && !isLeaf:
		return d.block(node, v, key, depth)
	case v.Kind() == reflect.Slice:
		return d.list(node, v, key, depth)
	}
	if node.Kind != yaml.ScalarNode || node.Load(v.Addr().Interface()) != nil {
		return d.fail(key, "want "+leafWants[v.Type()])
	}
	return nil
}

// block decodes a mapping into a struct, whose fields carry their keys as yaml tags.
func (d *document) block(node *yaml.Node, v reflect.Value, key string, depth int) error {
	if node.Kind != yaml.MappingNode {
		return d.fail(key, "want a block of keys")
	}
	fields := make(map[string]reflect.Value)
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		fields[name] = v.Field(i)
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name := node.Content[i].Value
		member := strings.TrimPrefix(key+"."+name, ".")
		field, known := fields[name]
		if !known {
			return d.unknownKey(node.Content[i], key, fields)
		}
		if line, twice := d.lines[member]; twice {
			d.lines[member] = node.Content[i].Line
			return d.fail(member, fmt.Sprintf("is set twice, first on line %d", line))
		}
		d.lines[member] = node.Content[i].Line
		if err := d.value(node.Content[i+1], field, member, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (d *document) list(node *yaml.Node, v reflect.Value, key string, depth int) error {
	if node.Kind != yaml.SequenceNode {
		return d.fail(key, "want a list")
	}
	list := reflect.MakeSlice(v.Type(), len(node.Content), len(node.Content))
	for i, element := range node.Content {
		member := fmt.Sprintf("%s[%d]", key, i)
		d.lines[member] = element.Line
		if err := d.value(element, list.Index(i), member, depth+1); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}

// plainKey is what a key looks like; anything else in a key's place may be a value and is not repeated.
var plainKey = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

func (d *document) unknownKey(name *yaml.Node, block string, fields map[string]reflect.Value) error {
	e := &KeyError{File: d.file, Line: name.Line, Key: block, Problem: "holds something that is not a key"}
	if !plainKey.MatchString(name.Value) {
		return e
	}
	e.Key = strings.TrimPrefix(block+"."+name.Value, ".")
	e.Problem = "unknown key"
	if meant := nearest(name.Value, fields); meant != "" {
		e.Problem += ", did you mean " + meant + "?"
	}
	return e
}

// nearest returns the field whose name differs least, if that is by no more than a third of it.
func nearest(name string, fields map[string]reflect.Value) string {
	best, distance := "", len(name)/3+1
	for field := range fields {
		if n := editDistance(name, field); n < distance || n == distance && field < best {
			best, distance = field, n
		}
	}
	return best
}

// editDistance counts the insertions, deletions and replacements between two short words (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
