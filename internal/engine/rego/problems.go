package rego

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// ProblemsOf turns errors of OPA into problems, one each, with hints. Details that OPA shows in lines of their own
// ("have", "left") follow the message in brackets. file stands in where an error names none.
func ProblemsOf(file string, err error) bundle.Problems {
	if err == nil {
		return nil
	}
	var many ast.Errors
	if !errors.As(err, &many) {
		var one *ast.Error
		if !errors.As(err, &one) {
			return bundle.Problems{{File: file, Code: "rego_compile_error", Message: err.Error()}}
		}
		many = ast.Errors{one}
	}
	many = Causes(many)
	var out bundle.Problems
	for _, e := range many {
		p := bundle.Problem{File: file, Code: e.Code,
			Message: localVariable.ReplaceAllString(strings.ReplaceAll(e.Message, "\n", " "), "_")}
		if e.Location != nil {
			p.File, p.Row, p.Col = e.Location.File, e.Location.Row, max(1, e.Location.Col) // 0 at the end of a file
		}
		if at := secondDefault.FindStringSubmatch(e.Message); at != nil {
			p.File, p.Row = at[1], number(at[2])
		}
		if e.Details != nil {
			p.Message += details(e.Details.Lines())
		}
		p.Message += hintOf(e)
		out = append(out, p)
	}
	return out
}

// localVariable is a name that the compiler made.
var localVariable = regexp.MustCompile(`__local\d+__`)

// secondDefault finds the place of a second default rule. OPA says the place of their package.
var secondDefault = regexp.MustCompile(`^multiple default rules .* (\S+):(\d+)$`)

// number is the number that digits are.
func number(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}

// details are the useful lines of the details of an error, in brackets.
func details(lines []string) string {
	var said []string
	for _, l := range lines {
		word, rest, _ := strings.Cut(strings.Join(strings.Fields(l), " "), ":")
		switch word = strings.TrimSpace(word); word {
		case "have", "want", "want (one of)", "left", "right":
			said = append(said, word+":"+rest)
		}
	}
	if said == nil {
		return ""
	}
	return " (" + strings.Join(said, ", ") + ")"
}

// Causes leaves out consequences of another error: where an argument is declared twice, OPA also reports unused
// arguments of the file, and at the end of a file it reports one error twice, once without details.
func Causes(errs ast.Errors) ast.Errors {
	redeclared := map[string]bool{}
	for _, e := range errs {
		if e.Location != nil && strings.HasPrefix(e.Message, "arg ") && strings.HasSuffix(e.Message, " redeclared") {
			redeclared[e.Location.File] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(errs), func(e *ast.Error) bool {
		return e.Location != nil && (redeclared[e.Location.File] && strings.HasPrefix(e.Message, "unused argument ") ||
			slices.ContainsFunc(errs, func(o *ast.Error) bool {
				return e.Location.Equal(o.Location) && strings.HasPrefix(o.Message, e.Message+": ")
			}))
	})
}

// ProblemAt is a problem at a location, or in "policies" where at is nil.
func ProblemAt(at *ast.Location, code, format string, args ...any) bundle.Problem {
	p := bundle.Problem{File: "policies", Code: code, Message: fmt.Sprintf(format, args...)}
	if at != nil {
		p.File, p.Row, p.Col = at.File, at.Row, max(1, at.Col)
	}
	return p
}
