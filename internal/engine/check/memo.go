package check

import (
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// Memo says how the verdicts of an entrypoint are remembered.
type Memo struct {
	// Off is set when none is.
	Off bool
	// Quantum is what the time of an evaluation is rounded down to, so that it is a value like others; 0 rounds
	// nothing.
	Quantum time.Duration
}

// The quantum of a time: a verdict is not remembered for longer than a minute.
const (
	minQuantum = time.Millisecond
	maxQuantum = time.Minute
)

// MemoOf reads custom.memo of all metadata, by entrypoint:
//
//	# METADATA
//	# entrypoint: true
//	# custom: {memo: {time: 1s}}
//
// or custom: {memo: "off"}. Elsewhere than on an entrypoint it has no effect and is a problem.
func MemoOf(compiler *ast.Compiler, entrypoints []string) (out map[string]Memo, problems bundle.Problems) {
	out = map[string]Memo{}
	problems = entrypointMetadata(compiler, "memo", entrypoints, func(path string, value any) (cause string) {
		out[path], cause = parseMemo(value)
		return cause
	})
	return out, problems
}

// parseMemo reads one custom.memo. cause says why it cannot be read.
func parseMemo(value any) (m Memo, cause string) {
	const want = "is neither \"off\" nor an object with time"
	switch v := value.(type) {
	case string:
		if v != "off" {
			return m, want
		}
		return Memo{Off: true}, ""
	case map[string]any:
		text, ok := v["time"].(string)
		if len(v) != 1 || !ok {
			return m, want
		}
		quantum, err := time.ParseDuration(text)
		if err != nil || quantum < minQuantum || quantum > maxQuantum {
			return m, "has a time that is not a duration with a unit, from 1ms to 1m"
		}
		return Memo{Quantum: quantum}, ""
	}
	return m, want
}
