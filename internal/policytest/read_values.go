package policytest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/suggest"
	"github.com/authz-sidecar/sidecar/internal/yamlnode"
)

// suiteReader reads one file and gathers all that is wrong with it.
type suiteReader struct {
	file     string
	cfg      *config.Config
	problems bundle.Problems
	noTokens bool // the tokens cannot be read: a name of one is no problem of its own
}

// fields says what is done with each key of a mapping.
type fields map[string]func(*yamlnode.Node)

func (r *suiteReader) complain(n *yamlnode.Node, format string, args ...any) {
	r.problems = append(r.problems, bundle.Problem{File: r.file, Row: n.Line, Col: n.Column, Code: codeSuite,
		Message: fmt.Sprintf(format, args...)})
}

// mapping reads n key by key. A key that is unknown is a problem. It reports whether all are known: if not, what is
// missing stands probably under another name.
func (r *suiteReader) mapping(n *yamlnode.Node, what string, known fields) (all bool) {
	all = n.Kind == yamlnode.Mapping
	r.members(n, what, func(k, v *yamlnode.Node) {
		read, ok := known[k.Text]
		if !ok {
			all = false
			keys := slices.Sorted(maps.Keys(known))
			if meant := suggest.Closest(k.Text, keys); meant != "" {
				r.complain(k, "unknown key %q in %s; did you mean %q?", k.Text, what, meant)
				return
			}
			r.complain(k, "unknown key %q in %s, want one of %s", k.Text, what, strings.Join(keys, ", "))
			return
		}
		read(v)
	})
	return all
}

// members calls each with every key and value of n. A key that occurs twice is a problem.
func (r *suiteReader) members(n *yamlnode.Node, what string, each func(k, v *yamlnode.Node)) {
	if n.Kind != yamlnode.Mapping {
		r.complain(n, "%s must be a mapping", what)
		return
	}
	for _, m := range n.Members {
		if m.Flaw != yamlnode.None {
			r.complain(m.Key, "%s", m.Complaint())
			continue
		}
		each(m.Key, m.Value)
	}
}

func (r *suiteReader) text(to *string) func(*yamlnode.Node) {
	return func(v *yamlnode.Node) {
		if !v.Scalar() || v.Kind == yamlnode.Null {
			r.complain(v, "want text")
			return
		}
		*to = v.Text
	}
}

func (r *suiteReader) word(to *string, words ...string) func(*yamlnode.Node) {
	return func(v *yamlnode.Node) {
		if !slices.Contains(words, v.Text) {
			if meant := suggest.Closest(v.Text, words); meant != "" {
				r.complain(v, "want one of %s; did you mean %q?", strings.Join(words, ", "), meant)
				return
			}
			r.complain(v, "want one of %s", strings.Join(words, ", "))
			return
		}
		*to = v.Text
	}
}

func (r *suiteReader) texts(to *[]string) func(*yamlnode.Node) {
	return func(v *yamlnode.Node) {
		if v.Kind != yamlnode.List {
			r.complain(v, "want a list of texts")
			return
		}
		for _, e := range v.Items {
			var s string
			r.text(&s)(e)
			*to = append(*to, s)
		}
	}
}

func (r *suiteReader) time(v *yamlnode.Node) time.Time {
	t, err := time.Parse(time.RFC3339, v.Text)
	if err != nil {
		r.complain(v, "want a time of RFC 3339, such as 2026-11-20T12:00:00Z")
	}
	return t
}

// object reads a mapping as a JSON object.
func (r *suiteReader) object(v *yamlnode.Node, what string) []byte {
	if v.Kind != yamlnode.Mapping {
		r.complain(v, "%s must be a mapping", what)
		return nil
	}
	return r.json(v, what)
}

// list reads a list as a JSON array.
func (r *suiteReader) list(v *yamlnode.Node, what string) []byte {
	if v.Kind != yamlnode.List {
		r.complain(v, "%s must be a list", what)
		return nil
	}
	return r.json(v, what)
}

func (r *suiteReader) json(v *yamlnode.Node, what string) []byte {
	value, failed := v.JSON()
	if failed != nil {
		r.problems = append(r.problems, r.problem(failed))
		return nil
	}
	b, err := json.Marshal(value)
	if err != nil {
		r.complain(v, "%s cannot be written as JSON: %v", what, err)
	}
	return b
}

func (r *suiteReader) problem(err *yamlnode.Error) bundle.Problem {
	return bundle.Problem{File: r.file, Row: err.Line, Col: err.Column, Code: codeSuite, Message: err.Message}
}
