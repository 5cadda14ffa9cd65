package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// CodeMetadata is the code of problems with metadata.
const CodeMetadata = "metadata_error"

// maxTokenAge bounds custom.token.max_age: no answer is cached for longer.
const maxTokenAge = 24 * time.Hour

// Freshness reads custom.token of all metadata, by entrypoint:
//
//	# METADATA
//	# entrypoint: true
//	# custom: {token: {mode: introspect, max_age: 0s}}
//
// Elsewhere than on an entrypoint it has no effect and is a problem. modes are those that the issuers support; none
// stands for all.
func Freshness(
	compiler *ast.Compiler, entrypoints []string, modes []authz.Mode,
) (out map[string]authz.Freshness, problems bundle.Problems) {
	out = map[string]authz.Freshness{}
	problems = entrypointMetadata(compiler, "token", entrypoints, func(path string, value any) (cause string) {
		out[path], cause = parseFreshness(value, modes)
		return cause
	})
	return out, problems
}

// entrypointMetadata hands the values of a member of custom to read, with the entrypoint that each is written on. read
// says why a value cannot be read, and is not given those elsewhere than on an entrypoint.
func entrypointMetadata(
	compiler *ast.Compiler, member string, entrypoints []string, read func(path string, value any) (cause string),
) (problems bundle.Problems) {
	seen := map[string]bool{}
	for ref, custom := range rego.Metadata(compiler, member) {
		problem := func(cause string) {
			problems = append(problems, rego.ProblemAt(ref.Annotations.Location, CodeMetadata, "custom.%s of %s %s",
				member, ref.Path, cause))
		}
		path := rego.PathOf(ref.Path)
		own := ref.Annotations.Scope == "rule" || ref.Annotations.Scope == "document"
		switch {
		case !own || !rego.RefOf(path).Equal(ref.Path) || !slices.Contains(entrypoints, path):
			problem("has no effect: write it on an entrypoint")
			continue
		case seen[path]:
			problem("is there twice: write it once, with scope: document")
			continue
		}
		seen[path] = true
		if cause := read(path, custom); cause != "" {
			problem(cause)
		}
	}
	return problems.Sorted()
}

// parseFreshness reads one custom.token. cause says why it cannot be read.
func parseFreshness(custom any, modes []authz.Mode) (f authz.Freshness, cause string) {
	members, ok := custom.(map[string]any)
	if !ok || len(members) == 0 {
		return f, "is not an object with mode or max_age"
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		text, isText := members[name].(string)
		switch name {
		case "mode":
			mode, all := authz.Mode(text), authz.Modes()
			if !slices.Contains(all, mode) {
				return f, "has a mode that is not one of " + joined(all)
			}
			if len(modes) > 0 && !slices.Contains(modes, mode) {
				return f, fmt.Sprintf("wants mode %s, which no configured issuer can do", text)
			}
			f.Mode = mode
		case "max_age":
			age, err := time.ParseDuration(text)
			if !isText || err != nil || age < 0 || age > maxTokenAge {
				return f, "has a max_age that is not a duration with a unit, from 0s to 24h"
			}
			f.MaxAge, f.Limited = age, true
		default:
			return f, fmt.Sprintf("has a member %q, want mode or max_age", name)
		}
	}
	return f, ""
}

func joined(modes []authz.Mode) string {
	words := make([]string, len(modes))
	for i, m := range modes {
		words[i] = string(m)
	}
	return strings.Join(words, ", ")
}
