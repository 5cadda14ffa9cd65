package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
)

// evalError is the cause and location of a failed evaluation, without the values that OPA quotes: they come from the
// document or from an event of the decision log, and no mask is applied to the text of an error.
func evalError(err error) error {
	e, ok := errors.AsType[*topdown.Error](err)
	if !ok {
		return fmt.Errorf("the evaluation failed (%T)", err)
	}
	text := e.Code
	cause := builtins.Cause(err)
	if outside, ok := errors.AsType[*builtins.OutsideError](cause); ok {
		return outside
	}
	switch e.Code {
	case topdown.BuiltinErr:
		if cause != nil {
			text += ": " + cause.Error()
			break
		}
		// The message is "<name>: <cause>", and the cause quotes the operands.
		name, _, _ := strings.Cut(e.Message, ":")
		text += ": " + name + " cannot work with what it was given"
	case topdown.ConflictErr:
		text += ": " + conflictLocations(e.Message)
	default:
		text += ": " + strings.ReplaceAll(e.Message, "\n", " ")
	}
	if e.Location == nil {
		return errors.New(text)
	}
	return fmt.Errorf("%s:%d:%d: %s", e.Location.File, e.Location.Row, e.Location.Col, text)
}

// conflictLocations keeps the locations of the conflicting rules, which OPA lists below the message as "<value> at
// <location>", one a line.
func conflictLocations(message string) string {
	first, below, _ := strings.Cut(message, "\n")
	var locations []string
	for line := range strings.Lines(below) {
		if at := strings.LastIndex(line, " at "); at >= 0 {
			locations = append(locations, strings.TrimSpace(line[at+len(" at "):]))
		}
	}
	if locations == nil {
		return first
	}
	return strings.TrimSuffix(first, ":") + ", at " + strings.Join(locations, " and ")
}
