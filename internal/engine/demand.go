package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

const codeMetadata = "metadata_error"

// Demand is what an entrypoint asks of the facts about a token, by its metadata:
//
//	# METADATA
//	# entrypoint: true
//	# custom: {token: {mode: introspect, max_age: 0s}}
//
// The zero Demand asks for nothing.
type Demand struct {
	// Mode is one of TokenModes, or empty.
	Mode string
	// MaxAge is the greatest age of facts; meaningful when Limited.
	MaxAge  time.Duration
	Limited bool
}

// TokenModes are the words that custom.token.mode may be.
func TokenModes() []string {
	return []string{"introspect", "jwt", "jwt_then_introspect", "introspect_opaque"}
}

// maxTokenAge bounds custom.token.max_age: nothing is kept for longer.
const maxTokenAge = 24 * time.Hour

// Demand is what the metadata of an entrypoint asks for.
func (p *Policy) Demand(entrypoint string) Demand {
	if e := p.entries[entrypoint]; e != nil {
		return e.demand
	}
	return Demand{}
}

// demands reads custom.token of all metadata. It has an effect on entrypoints only, so it is a problem elsewhere. modes are
// the words that can be met; none are all there are.
func demands(compiler *ast.Compiler, entrypoints, modes []string) (map[string]Demand, bundle.Problems) {
	out := map[string]Demand{}
	var problems bundle.Problems
	for _, ref := range compiler.GetAnnotationSet().Flatten() {
		custom, ok := ref.Annotations.Custom["token"]
		if !ok {
			continue
		}
		problem := func(format string, args ...any) {
			loc := ref.Annotations.Location
			problems = append(problems, bundle.Problem{File: loc.File, Row: loc.Row, Col: loc.Col, Code: codeMetadata, Message: "custom.token of " + ref.Path.String() + " " + fmt.Sprintf(format, args...)})
		}
		path := pathOf(ref.Path)
		_, twice := out[path]
		own := ref.Annotations.Scope == "rule" || ref.Annotations.Scope == "document"
		switch {
		case !own || !refOf(path).Equal(ref.Path) || !slices.Contains(entrypoints, path):
			problem("has no effect: write it on an entrypoint")
			continue
		case twice:
			problem("is there twice: write it once, with scope: document")
			continue
		}
		d, cause := demandOf(custom, modes)
		if cause != "" {
			problem("%s", cause)
		}
		out[path] = d
	}
	return out, problems.Sorted()
}

// demandOf reads one custom.token, or says why it cannot be read.
func demandOf(custom any, modes []string) (d Demand, cause string) {
	members, ok := custom.(map[string]any)
	if !ok || len(members) == 0 {
		return d, "is not an object with mode or max_age"
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		text, isText := members[name].(string)
		switch name {
		case "mode":
			if !slices.Contains(TokenModes(), text) {
				return d, "has a mode that is not one of " + strings.Join(TokenModes(), ", ")
			}
			if len(modes) > 0 && !slices.Contains(modes, text) {
				return d, fmt.Sprintf("wants mode %s, which no configured issuer can do", text)
			}
			d.Mode = text
		case "max_age":
			age, err := time.ParseDuration(text)
			if !isText || err != nil || age < 0 || age > maxTokenAge {
				return d, "has a max_age that is not a duration with a unit, from 0s to 24h"
			}
			d.MaxAge, d.Limited = age, true
		default:
			return d, fmt.Sprintf("has a member %q, want mode or max_age", name)
		}
	}
	return d, ""
}
