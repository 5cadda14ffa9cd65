package config

import (
	"fmt"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"go.yaml.in/yaml/v3"
)

// pair is one key of a mapping and its value.
type pair struct{ key, value *yaml.Node }

func place(n *yaml.Node) origin { return origin{line: n.Line, column: n.Column} }

// pairs returns the keys of mapping n, those of its merge keys (<<: *anchor) last, and records where each stands.
// A key that is no name, or is there twice, is reported and left out.
func (r *reader) pairs(n *yaml.Node, path string) []pair {
	if n.ShortTag() == "!!null" {
		return nil // a section whose keys are all commented out
	}
	if n.Kind != yaml.MappingNode || n.ShortTag() != "!!map" {
		r.fault(path, "is "+kind(n)+", not a mapping", `write "key: value" lines below it`)
		return nil
	}
	m := merger{reader: r, path: path, seen: map[string]bool{}, visited: map[*yaml.Node]bool{}}
	m.add(n, nil)
	return m.out
}

// merger gathers the pairs of one mapping and of those that it merges.
type merger struct {
	*reader
	path    string
	seen    map[string]bool     // keys gathered
	visited map[*yaml.Node]bool // mappings gathered: a second visit gives nothing, and could be the first of very many
	out     []pair
}

// add gathers what mapping n gives that is not there yet. above is the chain of mappings that merge n.
func (m *merger) add(n *yaml.Node, above []*yaml.Node) {
	if m.visited[n] {
		return
	}
	m.visited[n] = true
	var merges []*yaml.Node
	own := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.ShortTag() == "!!merge" {
			merges = append(merges, value)
			continue
		}
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" || !plainKey(key.Value) {
			m.faultAt(place(key), m.path, "holds a key that is not a name", `write "key: value", with a blank after the colon`)
			continue
		}
		if first, ok := own[key.Value]; ok {
			m.faultAt(place(key), conf.Join(m.path, key.Value), fmt.Sprintf("is given twice, first on line %d", first.Line), "remove one of the two")
			continue
		}
		own[key.Value] = key
		if m.seen[key.Value] {
			continue
		}
		m.seen[key.Value] = true
		m.at[conf.Join(m.path, key.Value)] = place(key)
		m.out = append(m.out, pair{key, value})
	}
	for _, value := range merges {
		m.merge(value, append(slices.Clone(above), n))
	}
}

// merge gathers what the value of one merge key gives: a mapping, or several of which the first wins.
func (m *merger) merge(value *yaml.Node, above []*yaml.Node) {
	sources := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode {
		sources = value.Content
	}
	for _, s := range sources {
		if s.Kind == yaml.AliasNode {
			s = s.Alias
		}
		if s.Kind != yaml.MappingNode || slices.Contains(above, s) {
			m.faultAt(place(value), m.path, "merges something else than another mapping", `write "<<: *anchor", where &anchor marks a mapping`)
			continue
		}
		m.add(s, above)
	}
}

// plainKey reports whether s is shaped like a key and may be shown as one. Anything else may be a slip such as
// {secret:hunter2}, which is one long key without a value.
func plainKey(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i, c := range []byte(s) {
		letter := c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || c != '-' && c != '.' && c != '/' && (c < '0' || c > '9')) {
			return false
		}
	}
	return true
}
