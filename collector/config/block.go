package config

import (
	"errors"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// mistake is a problem at a position of the file.
type mistake struct {
	at position
	// isKey says that the key at the position is wrong, not the value.
	isKey   bool
	problem string
}

func (m *mistake) Error() string { return m.problem }

// load decodes a block of the file, which may have the given keys only. Its
// errors are of type *mistake, in words of ours: the library's quote values and
// name Go types.
func load(node *yaml.Node, block any, keys string) error {
	if node.Kind != yaml.MappingNode {
		return &mistake{at: position{node.Line, node.Column}, problem: "must be a block of keys"}
	}
	err := node.Load(block, yaml.WithKnownFields())
	if err == nil {
		return nil
	}
	loadErr, ok := errors.AsType[*yaml.LoadError](err)
	if !ok {
		return &mistake{at: position{node.Line, node.Column}, problem: "is not a valid block"}
	}
	if m, ok := errors.AsType[*mistake](loadErr.Unwrap()); ok {
		return m // of a block inside this one
	}
	m := &mistake{at: position{loadErr.Mark.Line, loadErr.Mark.Column}}
	if p, ok := errors.AsType[problem](loadErr.Unwrap()); ok {
		m.problem = string(p)
		return m
	}
	if unknownField.MatchString(loadErr.Message) {
		m.isKey, m.problem = true, "unknown key; the keys here are "+keys
		return m
	}
	m.problem = "is not a valid value"
	if into := intoType.FindStringSubmatch(loadErr.Message); into != nil {
		m.problem = "must be " + wanted(into[1])
	}
	return m
}

// Messages of the library.
var (
	unknownField = regexp.MustCompile(`^field .* not found in type `)
	intoType     = regexp.MustCompile(` into (\S+)(?: \(TextUnmarshaler\))?$`)
)

// wanted says which value a Go type takes.
func wanted(goType string) string {
	switch goType {
	case "bool":
		return "true or false"
	case "int":
		return "a whole number"
	case "float64":
		return "a number"
	case "config.Duration":
		return "a duration such as 30s, 5m or 1d"
	case "config.Pattern":
		return "a regular expression such as prod-.*"
	}
	if strings.HasPrefix(goType, "[]") {
		return "a list"
	}
	return "text"
}
