package dbsapi

import (
	"bytes"
	"errors"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// errNotDBS is the cause of every answer that cannot be read; the answer itself is
// never repeated.
var errNotDBS = errors.New("the answer is not the JSON that DBS sends")

const (
	// maxItemsDepth bounds the nesting of Items: object, its list, an element
	// that wraps the list's name again.
	maxItemsDepth = 4
	// maxText bounds a text in bytes; the longest that DBS documents is a name
	// of 128 characters. A longer one is read as absent.
	maxText = 1 << 10
	// maxID bounds an ID in bytes; none that DBS documents exceeds 64 characters.
	// A longer one is cut: IDs are what is kept of every row, and four plans that
	// list 100,000 new tasks with each poll must fit in 256 MB.
	maxID = 64
	// maxWords bounds the texts that a decoder keeps to be used again; an answer
	// has about 20 of them, a hostile one has millions.
	maxWords = 128
	// maxEscaped is the longest that maxText can be in JSON: every byte as
	// \u0000, and the quotes.
	maxEscaped = 6*maxText + 2
)

// decoder reads one answer token by token. It is tolerant where the API's own
// documents disagree: a list may be a single object, a number may be a string,
// "nothing" may be null, "", missing or the literal 无. Fields that nobody asks
// for, the download URLs and error texts among them, are skipped without being
// decoded.
type decoder struct {
	body  bytes.Buffer
	json  jsontext.Decoder
	words map[string]string
	text  []byte
}

// decoders are pooled: what they hold of one answer, the next one has again.
var decoders = sync.Pool{New: func() any { return &decoder{words: make(map[string]string)} }}

// start begins to decode the body.
func (d *decoder) start() {
	d.json.Reset(&d.body, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// release gives the decoder back, unless it holds the memory of a large answer.
func (d *decoder) release() {
	if d.body.Cap() <= 2*smallAnswer {
		d.body.Reset()
		decoders.Put(d)
	}
}

// object reads an object and calls field with the name of each member, which is
// valid until field reads or skips the value.
func (d *decoder) object(field func(name []byte) error) error {
	if _, err := d.json.ReadToken(); err != nil {
		return errNotDBS
	}
	for d.json.PeekKind() != '}' {
		name, _, err := d.raw()
		if err != nil {
			return err
		}
		if err := field(name); err != nil {
			return err
		}
	}
	_, err := d.json.ReadToken()
	return err
}

// end makes sure that nothing follows the answer.
func (d *decoder) end() error {
	if d.json.PeekKind() != 0 || len(bytes.TrimSpace(d.json.UnreadBuffer())) > 0 {
		return errNotDBS
	}
	return nil
}

func (d *decoder) skip() error { return d.json.SkipValue() }

// raw reads a scalar as text, unquoted and valid only until the next call. It is
// nil for null, and for what is not readable: an object, an array or a text that
// is too long.
func (d *decoder) raw() (text []byte, readable bool, err error) {
	switch d.json.PeekKind() {
	case '{', '[':
		return nil, false, d.skip()
	}
	value, err := d.json.ReadValue()
	text = value
	switch {
	case err != nil:
		return nil, false, err
	case value.Kind() == 'n':
		return nil, true, nil
	case len(value) > maxEscaped:
		return nil, false, nil
	case value.Kind() == '"':
		text = d.unquote(value)
	}
	if len(text) > maxText {
		return nil, false, nil
	}
	return text, true, nil
}

// unquote decodes a JSON string. Most have no escapes.
func (d *decoder) unquote(value jsontext.Value) []byte {
	if bytes.IndexByte(value, '\\') < 0 && utf8.Valid(value) {
		return value[1 : len(value)-1]
	}
	// The error is about invalid UTF-8, which comes out replaced.
	d.text, _ = jsontext.AppendUnquote(d.text[:0], value)
	return d.text
}

// string reads a text. The literals that the console shows for "nothing" are read
// as nothing.
func (d *decoder) string() (string, error) {
	text, _, err := d.raw()
	if isNothing(text) {
		return "", err
	}
	return string(text), err
}

// id reads an ID, of which a character that was cut is left out.
func (d *decoder) id() (string, error) {
	text, _, err := d.raw()
	switch {
	case isNothing(text):
		return "", err
	case len(text) > maxID:
		text = bytes.ToValidUTF8(text[:maxID], nil)
	}
	return string(text), err
}

// internedString reads a text that recurs in all answers, such as a status,
// without a new string each time.
func (d *decoder) internedString() (string, error) {
	text, _, err := d.raw()
	if isNothing(text) {
		return "", err
	}
	return d.intern(text), err
}

func (d *decoder) intern(text []byte) string {
	if s, ok := d.words[string(text)]; ok {
		return s
	}
	if len(d.words) == maxWords {
		clear(d.words)
	}
	s := string(text)
	d.words[s] = s
	return s
}

// items reads a list in any of the shapes in which the API's documents print it:
// an object that holds the list under listName, the list itself, a list of such
// objects, a single element in the list's place. It reports whether there is more
// than null or an empty text.
func (d *decoder) items(r rows, depth int) (present bool, err error) {
	switch kind := d.json.PeekKind(); {
	case depth > maxItemsDepth:
		return false, errNotDBS
	case kind == 'n':
		return false, d.skip()
	case kind == '"':
		if text, err := d.json.ReadToken(); err != nil || text.String() != "" {
			return false, errNotDBS
		}
		return false, nil
	case kind == '[':
		return true, d.list(r, depth)
	case kind == '{':
		return true, d.element(r, depth, false)
	}
	return false, errNotDBS
}

// list reads a list whose elements are objects.
func (d *decoder) list(r rows, depth int) error {
	if _, err := d.json.ReadToken(); err != nil {
		return errNotDBS
	}
	for d.json.PeekKind() != ']' {
		if d.json.PeekKind() != '{' {
			return errNotDBS
		}
		if err := d.element(r, depth+1, true); err != nil {
			return err
		}
	}
	_, err := d.json.ReadToken()
	return err
}

// element reads an object. It is a row unless it holds the list's name. Outside
// of a list, it is one only if it has a known member, and one with other members
// alone is no list: it may be an error.
func (d *decoder) element(r rows, depth int, isRow bool) error {
	wraps, hasFields, empty := false, false, true
	err := d.object(func(name []byte) error {
		empty = false
		if string(name) == r.listName {
			wraps = true
			_, err := d.items(r, depth+1)
			return err
		}
		known, err := r.field(d, name)
		hasFields = hasFields || known
		return err
	})
	switch {
	case err != nil:
		return err
	case wraps && hasFields, !wraps && !hasFields && !isRow && !empty:
		return errNotDBS
	case hasFields, isRow && !wraps:
		return r.next()
	}
	return nil
}
