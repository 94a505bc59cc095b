package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// file is a YAML file that knows where its keys are.
type file struct {
	name string
	// keys are the places of keys, by path such as targets[0].plans[1].id.
	keys map[string]place
	// keyPaths and valuePaths are the paths of what starts at a position. A
	// value that is used again through an alias has its first path.
	keyPaths, valuePaths map[position]string
	// aliased counts the nodes that aliases have added.
	aliased int
}

// place is where a key or an element of a list is.
type place struct {
	line int
	// set is false if the key has no value.
	set bool
}

type position struct{ line, column int }

const (
	// maxAliased limits the nodes that aliases add. Nested aliases multiply: a
	// few hundred bytes can stand for billions of nodes. 10,000 nodes allow for
	// 1,000 targets that share their blocks.
	maxAliased = 10_000
	// maxDepth limits nesting, because an alias inside its own block would
	// never end. The deepest key is in a chain of four roles.
	maxDepth = 16
)

// decode fills a configuration from the text of a file.
func (f *file) decode(text []byte, c *Config) error {
	f.keys = make(map[string]place)
	f.keyPaths = make(map[position]string)
	f.valuePaths = make(map[position]string)
	if len(text) > maxFile {
		return f.errorAtLine(1, fmt.Sprintf("the file must not be larger than %d MiB", maxFile>>20))
	}
	if line := invalidUTF8(text); line > 0 {
		return f.errorAtLine(line, "the file must be UTF-8 text")
	}
	var root yaml.Node
	if err := yaml.Load(text, &root); err != nil {
		return f.syntaxError(err)
	}
	if len(root.Content) != 1 || isNull(root.Content[0]) {
		return f.errorAtLine(1, emptyFile)
	}
	if err := f.walk(root.Content[0], "", "", 0); err != nil {
		return err
	}
	if err := load(root.Content[0], c, ""); err != nil {
		return f.mistakeError(err)
	}
	return nil
}

// invalidUTF8 returns the first line that is not UTF-8, or 0.
func invalidUTF8(text []byte) int {
	line := 0
	for part := range bytes.Lines(text) {
		line++
		if !utf8.Valid(part) {
			return line
		}
	}
	return 0
}

const emptyFile = "the file is empty; start from config.example.yml"

// syntaxError says in words of ours why a text is not one YAML document. The
// scanner and the parser describe characters and structure; the messages of
// other stages may quote the file.
func (f *file) syntaxError(err error) error {
	text, line := "is not valid YAML", 1
	if loadErr, ok := errors.AsType[*yaml.LoadError](err); ok {
		line = max(loadErr.Mark.Line, 1)
		switch {
		case strings.Contains(loadErr.Message, "no documents"):
			text = emptyFile
		case strings.Contains(loadErr.Message, "expected single document"):
			text = "the file has more than one document; remove what follows the second ---"
		case strings.Contains(loadErr.Message, "unknown anchor"):
			text = "an alias (*) has no anchor (&); put quotes around text that starts with *"
		case loadErr.Stage == yaml.ScannerStage, loadErr.Stage == yaml.ParserStage:
			text += ": " + quoted.ReplaceAllString(loadErr.Message, "…")
		}
	}
	return f.errorAtLine(line, text)
}

// quoted is a part of a message that may come from the file.
var quoted = regexp.MustCompile("['\"`].*['\"`]")

// keyPattern is the form of a key. Other text in the place of a key may be a
// secret that slipped there, so it is not repeated in an error.
var keyPattern = regexp.MustCompile(`^[a-z]{1,20}(_[a-z0-9]{1,12}){0,3}$`)

// walk notes where the keys and values of a block are, and refuses what the
// library would accept. The alias is the path of the one that led here, if any.
func (f *file) walk(node *yaml.Node, path, alias string, depth int) error {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
		alias = cmp.Or(alias, path)
	}
	if alias != "" {
		f.aliased++
	}
	switch {
	case f.aliased > maxAliased:
		return f.errorAt(alias, "the aliases of the file stand for more than 10,000 values; write out some of them")
	case depth > maxDepth:
		return f.errorAt(cmp.Or(alias, path), "must not be nested this deep; look for an alias inside its own block")
	case node.Style&yaml.TaggedStyle != 0 && !slices.Contains(plainTags, node.ShortTag()):
		return f.errorAt(path, "must be plain text; YAML tags such as !!binary are not supported")
	}
	at := position{node.Line, node.Column}
	if _, known := f.valuePaths[at]; !known {
		f.valuePaths[at] = path
	}
	switch node.Kind {
	case yaml.MappingNode:
		return f.walkBlock(node, path, alias, depth)
	case yaml.SequenceNode:
		for i, element := range node.Content {
			member := fmt.Sprintf("%s[%d]", path, i)
			f.keys[member] = place{line: element.Line, set: true}
			if isNull(element) {
				return f.errorAt(member, "must not be empty; remove the dash or give it a value")
			}
			if err := f.walk(element, member, alias, depth+1); err != nil {
				return err
			}
		}
	case yaml.ScalarNode:
		// Such text must not get into labels and headers.
		if strings.ContainsFunc(node.Value, unicode.IsControl) {
			return f.errorAt(path, "must not contain line breaks or other control characters")
		}
	}
	return nil
}

// plainTags are the tags that do not change how a value is read. With !!binary
// the library would return arbitrary bytes.
var plainTags = []string{"!!str", "!!map", "!!seq"}

func (f *file) walkBlock(node *yaml.Node, path, alias string, depth int) error {
	own := make(map[string]int)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		switch {
		case key.ShortTag() == "!!merge":
			return f.errorIn(path, key.Line, "merge keys (<<) are not supported; "+
				"repeat the keys, or use one alias for the whole block")
		case key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" || !keyPattern.MatchString(key.Value):
			return f.errorIn(path, key.Line, "has text that cannot be a key; check its spelling and indentation")
		}
		member := strings.TrimPrefix(path+"."+key.Value, ".")
		if line, twice := own[key.Value]; twice {
			return f.errorIn(member, key.Line, fmt.Sprintf("is set twice, first on line %d; remove one of the two", line))
		}
		own[key.Value] = key.Line
		f.keys[member] = place{line: key.Line, set: !isNull(value)}
		f.keyPaths[position{key.Line, key.Column}] = member
		if err := f.walk(value, member, alias, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func isNull(node *yaml.Node) bool {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null"
}

// mistakeError returns a mistake with the path of its key.
func (f *file) mistakeError(err error) error {
	m, ok := errors.AsType[*mistake](err)
	switch {
	case !ok:
		return f.errorAtLine(1, "is not a valid configuration")
	case m.isKey:
		return f.errorAt(f.keyPaths[m.at], m.problem)
	}
	return f.errorAt(f.valuePaths[m.at], m.problem)
}

// errorAt returns an error at the line of a key.
func (f *file) errorAt(path, text string) error { return f.errorIn(path, f.line(path), text) }

func (f *file) errorIn(path string, line int, text string) error {
	return &Error{File: f.name, Line: line, Key: path, Problem: text}
}

func (f *file) errorAtLine(line int, text string) error { return f.errorIn("", line, text) }

// line returns the line of a key or, if the file does not have it, of the block
// that lacks it.
func (f *file) line(path string) int {
	for path != "" {
		if at, ok := f.keys[path]; ok {
			return at.line
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 1
}

// has reports whether the file gives a key a value.
func (f *file) has(path string) bool { return f.keys[path].set }
