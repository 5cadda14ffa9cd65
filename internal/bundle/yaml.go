package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	jsonx "github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jsonbound"
)

// maxExpansion bounds the values that aliases add to a file, which can be many more than it has bytes.
const maxExpansion = 100_000

// decodeYAML reads one YAML document as the JSON value it stands for. What JSON cannot say is refused: keys that are
// not strings, infinity, binary data and tags of one's own; and so are duplicate keys and merge keys, because a
// reader must see what is there. Dates are strings.
func decodeYAML(raw []byte) (any, *Problem) {
	doc, f := parseYAML(raw)
	if f != nil {
		return nil, f
	}
	c := &yamlReader{}
	return c.value(doc, 0)
}

// parseYAML returns the value of the one document in a file.
func parseYAML(raw []byte) (*yaml.Node, *Problem) {
	for i := 0; i < len(raw); {
		r, n := utf8.DecodeRune(raw[i:])
		if (r == utf8.RuneError && n == 1) || (r < ' ' && r != '\t' && r != '\n' && r != '\r') {
			row, col := position(raw, int64(i))
			return nil, problemAt(row, col, "invalid UTF-8 or a control character")
		}
		i += n
	}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	var doc, next yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, problemAt(1, 1, isEmpty)
	case err != nil:
		return nil, syntaxFault(raw, err)
	}
	switch err := dec.Decode(&next); {
	case err == nil:
		return nil, faultAt(&next, "only one document in a file is read")
	case !errors.Is(err, io.EOF):
		return nil, syntaxFault(raw, err)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil, problemAt(1, 1, isEmpty)
	}
	top := doc.Content[0]
	if top.Kind == yaml.ScalarNode && top.ShortTag() == "!!null" && top.Value == "" {
		return nil, problemAt(1, 1, isEmpty)
	}
	return top, nil
}

// yamlReader turns nodes into JSON values.
type yamlReader struct {
	aliases  int // that we are inside of
	expanded int
}

func (c *yamlReader) value(n *yaml.Node, depth int) (any, *Problem) {
	if depth > maxNesting {
		return nil, faultAt(n, tooDeep)
	}
	if c.aliases > 0 {
		if c.expanded++; c.expanded > maxExpansion {
			return nil, faultAt(n, "aliases stand for more than 100000 values")
		}
	}
	switch n.Kind {
	case yaml.MappingNode:
		return c.mapping(n, depth)
	case yaml.SequenceNode:
		return c.sequence(n, depth)
	case yaml.AliasNode:
		c.aliases++
		v, f := c.value(n.Alias, depth+1)
		c.aliases--
		if f != nil && c.aliases == 0 {
			f.Row, f.Col = n.Line, n.Column // where it is used says more than where it was meant for something else
		}
		return v, f
	case yaml.ScalarNode:
		return scalar(n)
	}
	return nil, faultAt(n, "cannot be read")
}

func (c *yamlReader) mapping(n *yaml.Node, depth int) (any, *Problem) {
	if n.ShortTag() != "!!map" {
		return nil, faultAt(n, "the tag "+n.Tag+" is not known")
	}
	m := make(map[string]any, len(n.Content)/2)
	lines := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		switch {
		case k.ShortTag() == "!!merge":
			return nil, faultAt(k, "merge keys are not read: write the members out")
		case k.Kind != yaml.ScalarNode || k.ShortTag() != "!!str":
			return nil, faultAt(k, "the key is not a string: put it in quotes")
		case lines[k.Value] != 0:
			return nil, faultAt(k, "duplicate key "+strconv.Quote(k.Value)+", first on line "+strconv.Itoa(lines[k.Value]))
		}
		lines[k.Value] = k.Line
		v, f := c.value(n.Content[i+1], depth+1)
		if f != nil {
			return nil, f
		}
		m[k.Value] = v
	}
	return m, nil
}

func (c *yamlReader) sequence(n *yaml.Node, depth int) (any, *Problem) {
	if n.ShortTag() != "!!seq" {
		return nil, faultAt(n, "the tag "+n.Tag+" is not known")
	}
	a := make([]any, 0, len(n.Content))
	for _, e := range n.Content {
		v, f := c.value(e, depth+1)
		if f != nil {
			return nil, f
		}
		a = append(a, v)
	}
	return a, nil
}

func scalar(n *yaml.Node) (any, *Problem) {
	switch tag := n.ShortTag(); tag {
	case "!!str", "!!timestamp":
		return n.Value, nil
	case "!!null":
		if !slices.Contains([]string{"", "~", "null", "Null", "NULL"}, n.Value) {
			return nil, faultAt(n, "is not null")
		}
		return nil, nil
	case "!!bool":
		var b bool
		if err := n.Decode(&b); err != nil {
			return nil, faultAt(n, "is not a boolean")
		}
		return b, nil
	case "!!int", "!!float":
		return number(n)
	case "!!merge":
		return n.Value, nil // "<<" that is not a key is just text
	default:
		return nil, faultAt(n, "the tag "+tag+" is not known")
	}
}

// number keeps the spelling when JSON has it too, so that no digit is lost.
func number(n *yaml.Node) (any, *Problem) {
	v := jsonx.Value(n.Value)
	if v.IsValid() && v.Kind() == jsonx.KindNumber {
		if !jsonbound.Number(strings.TrimSpace(n.Value)) {
			return nil, faultAt(n, jsonbound.TooLarge)
		}
		return json.Number(strings.TrimSpace(n.Value)), nil
	}
	if digits := strings.TrimLeft(n.Value, "+-"); len(digits) > 1 && digits[0] == '0' && strings.Trim(digits, "0123456789_") == "" {
		return nil, faultAt(n, "a number that begins with 0 is read as octal (010 is 8): quote it where it is a text, write 0o10 where octal is meant")
	}
	var x any
	if err := n.Decode(&x); err != nil {
		return nil, faultAt(n, "is not a number")
	}
	switch x := x.(type) {
	case int:
		return json.Number(strconv.Itoa(x)), nil
	case int64:
		return json.Number(strconv.FormatInt(x, 10)), nil
	case uint64:
		return json.Number(strconv.FormatUint(x, 10)), nil
	case float64:
		if !math.IsInf(x, 0) && !math.IsNaN(x) {
			return json.Number(strconv.FormatFloat(x, 'g', -1, 64)), nil
		}
	}
	return nil, faultAt(n, "is not a number that JSON has")
}

func faultAt(n *yaml.Node, message string) *Problem { return problemAt(n.Line, n.Column, message) }

// locateYAML finds the key of a member, or an element, by its path.
func locateYAML(raw []byte, at []string) (row, col int) {
	n, f := parseYAML(raw)
	if f != nil {
		return 0, 0
	}
	var found *yaml.Node
	for _, k := range at {
		for n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		if found, n = member(n, k); found == nil {
			return 0, 0
		}
	}
	if found == nil {
		return 0, 0
	}
	return found.Line, found.Column
}

func member(n *yaml.Node, name string) (key, value *yaml.Node) {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

var yamlPrefix = regexp.MustCompile(`^yaml: (line \d+: )?`)

// syntaxFault says where a file stops being YAML. The parser names no column, and often the line on which the
// surrounding block began instead of the one at fault; so the line that is named is the one with which the very same
// complaint first appears when the file is read from the top.
func syntaxFault(raw []byte, err error) *Problem {
	message := yamlPrefix.ReplaceAllString(err.Error(), "")
	lines := bytes.SplitAfter(raw, []byte{'\n'})
	const patience = 1 << 20 // bytes: each step parses the file again
	row := 1
	if len(raw) <= patience {
		row = 1 + sort.Search(len(lines)-1, func(i int) bool {
			return complaint(bytes.Join(lines[:i+1], nil)) == err.Error()
		})
	}
	line := lines[row-1]
	blank := len(line) - len(bytes.TrimLeft(line, " \t"))
	return problemAt(row, blank+1, message)
}

// complaint parses all documents and returns what the parser says.
func complaint(raw []byte) string {
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	for {
		var n yaml.Node
		switch err := dec.Decode(&n); {
		case errors.Is(err, io.EOF):
			return ""
		case err != nil:
			return err.Error()
		}
	}
}
