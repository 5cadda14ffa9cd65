// Package yamlnode reads one YAML document into nodes that know their position.
//
// It is the one YAML reader: of configuration, of policy data and of suites of tests. It reads YAML as a spelling of
// JSON, strictly, so that what a document means is what stands there: one document, keys that are strings and occur
// once, no merge keys, and aliases only as far as a bounded number of values.
package yamlnode

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Kind is what a value is.
type Kind uint8

// The kinds. Other is a value with a tag of its own.
const (
	Other Kind = iota
	Null
	Bool
	Int
	Float
	Text
	Date
	List
	Mapping
)

// String is the kind in words, for messages: "a mapping".
func (k Kind) String() string {
	words := [...]string{
		"a value with a tag of its own", "nothing", "true or false", "a number", "a number", "text", "a date",
		"a list", "a mapping",
	}
	return words[k]
}

// Node is one value of a document. An alias is a copy of the value that it stands for, at the position of the alias.
type Node struct {
	Kind Kind
	Tag  string // in its short form, such as "!!str"
	// Text is a scalar as it is written, without quotes.
	Text   string
	Quoted bool
	// Line and Column count from 1.
	Line, Column int
	Items        []*Node  // of a List
	Members      []Member // of a Mapping, with those that have a flaw
}

// Scalar reports whether n is neither a list nor a mapping.
func (n *Node) Scalar() bool { return n.Kind != List && n.Kind != Mapping }

// Member is a key of a mapping and its value.
type Member struct {
	Key, Value *Node
	Flaw       Flaw
	// First is the line of the first key of the same name, for a Duplicate.
	First int
}

// Flaw is why a member must not be read.
type Flaw uint8

// The flaws.
const (
	None Flaw = iota
	MergeKey
	NotText
	Duplicate
)

// Complaint says what is wrong with a member that has a flaw.
func (m Member) Complaint() string {
	switch m.Flaw {
	case MergeKey:
		return "merge keys are not read: write the members out"
	case Duplicate:
		return fmt.Sprintf("duplicate key %q, first on line %d", m.Key.Text, m.First)
	}
	return "the key is not a string: put it in quotes"
}

// Error is why a document cannot be read. It quotes no value.
type Error struct {
	Line, Column int // from 1
	Message      string
}

func (e *Error) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message) }

const (
	// maxNesting bounds how deep values are nested.
	maxNesting = 256
	// maxExpansion bounds the values that aliases add to a document, which can be many more than it has bytes.
	maxExpansion = 100_000
)

// Parse returns the value of the one document in src, or nil when there is none. With the error of a second document
// the node is that of the first.
func Parse(src []byte) (*Node, *Error) {
	if err := checkText(src); err != nil {
		return nil, err
	}
	docs, err := documents(src)
	switch {
	case err != nil:
		return nil, syntaxError(src, err)
	case len(docs) == 0 || isEmpty(docs[0]):
		return nil, nil
	}
	top, failed := (&builder{}).node(docs[0].Content[0], 0)
	if failed == nil && len(docs) > 1 {
		failed = &Error{docs[1].Line, docs[1].Column, "only one document in a file is read"}
	}
	return top, failed
}

// isEmpty reports whether a document has no value, not even null.
func isEmpty(doc *yaml.Node) bool {
	return len(doc.Content) != 1 || doc.Content[0].ShortTag() == "!!null" && doc.Content[0].Value == ""
}

// checkText refuses what no text editor shows.
func checkText(src []byte) *Error {
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		if (r == utf8.RuneError && n == 1) || (r < ' ' && r != '\t' && r != '\n' && r != '\r') {
			line := bytes.LastIndexByte(src[:i], '\n') + 1
			row, col := bytes.Count(src[:i], []byte{'\n'})+1, utf8.RuneCount(src[line:i])+1
			return &Error{row, col, "invalid UTF-8 or a control character: save it as UTF-8"}
		}
		i += n
	}
	return nil
}

// documents parses all documents of src, and keeps two of them.
func documents(src []byte) ([]*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(src))
	var docs []*yaml.Node
	for {
		var doc yaml.Node
		switch err := dec.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return docs, nil
		case err != nil:
			return nil, err
		case len(docs) < 2:
			docs = append(docs, &doc)
		}
	}
}

var parserPrefix = regexp.MustCompile(`^yaml: (line \d+: )?`)

// syntaxError says where src stops being YAML. The error of yaml.v3 names no column, and often the line on which the
// surrounding block began. So the line is the one with which the very same error first occurs when src is parsed from
// the top.
func syntaxError(src []byte, err error) *Error {
	message := parserPrefix.ReplaceAllString(err.Error(), "")
	if strings.HasPrefix(message, "unknown anchor") {
		message = "an alias has no anchor" // its name may be a password that begins with an asterisk
	}
	lines := bytes.SplitAfter(src, []byte{'\n'})
	const maxSearch = 1 << 20 // bytes: each step parses the text again
	line := 1
	if len(src) <= maxSearch {
		line = 1 + sort.Search(len(lines)-1, func(i int) bool {
			_, failed := documents(bytes.Join(lines[:i+1], nil))
			return failed != nil && failed.Error() == err.Error()
		})
	}
	blank := len(lines[line-1]) - len(bytes.TrimLeft(lines[line-1], " \t"))
	if bytes.ContainsRune(lines[line-1][:blank], '\t') {
		message = "a tab indents this line, and YAML takes blanks only"
	}
	return &Error{line, blank + 1, message}
}
