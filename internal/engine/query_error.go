package engine

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	oparegocompile "github.com/open-policy-agent/opa/v1/rego/compile"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
)

// QueryError is what is wrong with a query of a caller, or with a policy as a filter, in the words of OPA's server.
// Its messages may quote values of the input, so that its text, which goes into the decision log, has none of them.
type QueryError struct {
	// Code and Message are those of OPA's server: "invalid_parameter", "evaluation_error".
	Code, Message string
	// Errors is a JSON array of objects with code, message and location; nil without any.
	Errors json.RawMessage

	short string
}

// The codes and messages of OPA's server (v1/server/types).
const (
	opaInvalidParameter = "invalid_parameter"
	opaEvaluationError  = "evaluation_error"

	msgParseQuery   = "error(s) occurred while parsing query"
	msgCompileQuery = "error(s) occurred while compiling query"
	msgEvaluation   = "error(s) occurred while evaluating query"
)

// Error is the code and where the errors are.
func (e *QueryError) Error() string { return e.Code + e.short }

// invalid is a parameter that is refused.
func invalid(message string) error {
	return authz.Errorf(authz.Malformed, "%w", &QueryError{Code: opaInvalidParameter, Message: message})
}

// positioned is a QueryError with the errors of err where these are OPA's.
func positioned(code, message string, err error) error {
	many, ok := errors.AsType[ast.Errors](err)
	if !ok {
		one, ok := errors.AsType[*ast.Error](err)
		if !ok {
			return authz.Errorf(authz.Malformed, "%w", &QueryError{Code: code, Message: message})
		}
		many = ast.Errors{one}
	}
	out := &QueryError{Code: code, Message: message}
	said := make([]ast.Error, len(many))
	for i, e := range many {
		said[i] = *e
		said[i].Message = builtins.PublicNames(e.Message)
		out.short += " " + e.Code
		if e.Location != nil && e.Location.File != "" {
			out.short += " at " + strings.TrimSpace(e.Location.String())
		}
	}
	var err2 error
	if out.Errors, err2 = json.Marshal(said); err2 != nil {
		out.Errors = nil
	}
	return authz.Errorf(authz.Malformed, "%w", out)
}

// failedQuery is the error of an evaluation of a filter or a query.
func failedQuery(ctx context.Context, what string, err error) error {
	_, isPolicy := errors.AsType[ast.Errors](err)
	switch {
	case errors.Is(err, errTooMuch) || errors.Is(context.Cause(ctx), errTooMuch):
		return authz.Errorf(authz.Misconfigured, "%s: %w", what, errTooMuch)
	case topdown.IsCancel(err) || ctx.Err() != nil:
		return authz.Errorf(authz.Misconfigured, "%s: not done in time, %w", what, ErrDeadline)
	case errors.Is(err, oparegocompile.ErrInvalidMappings):
		return invalid(err.Error())
	case isPolicy:
		return positioned(opaEvaluationError, msgEvaluation, err)
	}
	return authz.Errorf(authz.Misconfigured, "%s: %w", what, evalError(err))
}
