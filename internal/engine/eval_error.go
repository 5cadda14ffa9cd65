package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
)

// evalError says what stopped an evaluation, and where, without the values that OPA quotes: they come from the document
// or from an event of the decision log, a mask may hide them, and no mask sees the text of an error.
func evalError(err error) error {
	e, ok := errors.AsType[*topdown.Error](err)
	if !ok {
		return fmt.Errorf("the evaluation failed (%T)", err)
	}
	said := e.Code
	cause := builtins.Cause(err)
	switch e.Code {
	case topdown.BuiltinErr:
		if cause != nil {
			said += ": " + cause.Error()
			break
		}
		// "<name>: <cause>", and the cause quotes what the builtin was given.
		name, _, _ := strings.Cut(e.Message, ":")
		said += ": " + name + " cannot work with what it was given"
	case topdown.ConflictErr:
		said += ": " + conflictLocations(e.Message)
	default:
		said += ": " + strings.ReplaceAll(e.Message, "\n", " ")
	}
	if e.Location == nil {
		return fmt.Errorf("%s", said)
	}
	return fmt.Errorf("%s:%d:%d: %s", e.Location.File, e.Location.Row, e.Location.Col, said)
}

// conflictLocations keeps the places of the rules that contradict each other: OPA lists them below the message, one a
// line, as "<value> at <place>".
func conflictLocations(message string) string {
	first, below, _ := strings.Cut(message, "\n")
	var places []string
	for line := range strings.Lines(below) {
		if at := strings.LastIndex(line, " at "); at >= 0 {
			places = append(places, strings.TrimSpace(line[at+len(" at "):]))
		}
	}
	if places == nil {
		return first
	}
	return strings.TrimSuffix(first, ":") + ", at " + strings.Join(places, " and ")
}
