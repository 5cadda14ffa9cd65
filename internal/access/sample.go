package access

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/engine/partial"
)

// maxSamples bounds the values that are tried for one condition that is told as Rego.
const maxSamples = 48

// meetRego changes the document so that it meets a condition that is told as Rego: values that its constants suggest
// are tried for each member that it reads, until it holds.
func (m *maker) meetRego(ctx context.Context, program *partial.Program, c partial.Constraint) {
	holds := func(doc map[string]any) bool {
		raw, err := json.Marshal(doc)
		if err != nil {
			return false
		}
		ok, err := program.Holds(ctx, c, raw)
		return err == nil && ok
	}
	if holds(m.doc) {
		return
	}
	before, tried := m.doc, 0
	for _, read := range program.Reads(c) {
		have, _ := get(before, read.Path)
		list, isList := have.([]any)
		isList = isList || read.Elements || isArrayMember(read.Path)
		for _, sample := range samplesOf(read.Constants) {
			if tried++; tried > maxSamples {
				break
			}
			if isList {
				sample = append(slices.Clone(list), sample)
			}
			if m.set(read.Path, sample); holds(m.doc) {
				return
			}
			m.doc = before
		}
	}
}

func isArrayMember(path []any) bool {
	last, _ := path[len(path)-1].(string)
	return slices.Contains([]string{"scopes", "audiences", "roles", "groups", "permissions", "amr"}, last)
}

// samplesOf are values that constants suggest: themselves, what they match as a pattern, and what is beside them.
func samplesOf(constants []any) (out []any) {
	for _, c := range constants {
		switch v := c.(type) {
		case string:
			address, _, _ := strings.Cut(v, "/")
			out = append(out, v, strings.ToLower(v), strings.NewReplacer("**", "x", "*", "x", "?", "x").Replace(v),
				address,
				v+"x", "x"+v)
			if text, ok := partial.Matching(v); ok {
				out = append(out, text)
			}
		case float64:
			out = append(out, v, v+1, v-1)
		}
	}
	return append(out, "some-value")
}
