package rego

import (
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
)

const regoV0Hint = "; this may be Rego v0: sidecar migrate brings it up to date"

// syntaxHint says what to write instead of text that cannot be parsed.
func syntaxHint(e *ast.Error) string {
	message := e.Message
	switch {
	case strings.Contains(message, "keyword is required before rule body"):
		return "; write if before the body" + regoV0Hint
	case strings.Contains(message, "`contains` keyword is required"):
		return "; write name contains value" + regoV0Hint
	case strings.HasPrefix(message, "unexpected ") && strings.Contains(message, " keyword"), isNameOfKeyword(message):
		return "; if, in, contains and every are keywords: give a variable or rule another name"
	case strings.Contains(message, "var cannot be used for rule name"),
		strings.HasPrefix(message, "rule must have value assignment"),
		message == "rule name conflicts with built-in function":
		return "; is an if missing before the body, or a := in a rule?"
	case strings.HasPrefix(message, "unexpected and token"):
		return "; expressions that must all hold are lines of one body"
	case strings.HasPrefix(message, "unexpected or token"):
		return "; of expressions one of which must hold, each is a rule of the same name"
	case message == "illegal token" && nextTo(e, '\''):
		return "; texts are in double quotes"
	case message == "illegal token" && besideLetter(e):
		return "; names of rules and variables are of ASCII letters, digits and _: other letters belong in texts"
	case message == "unexpected eof token":
		return "; a brace, bracket or quotation mark above is not closed"
	case message == "illegal utf-8 character":
		return "; save the file as UTF-8"
	case message == "empty module":
		return "; begin the file with a package, or delete it"
	case message == "package expected":
		return "; begin the file with a package, such as: package authz"
	}
	return ""
}

// isNameOfKeyword reports whether an error is that a rule has a keyword for its name, which Rego v0 allows: the name
// is the fault then, and not the version.
func isNameOfKeyword(message string) bool {
	return strings.Contains(message, " keyword cannot be used for rule name")
}

// besideLetter reports whether an error is at a character that is not ASCII.
func besideLetter(e *ast.Error) bool {
	at, ok := e.Details.(*ast.ParserErrorDetail)
	return ok && at.Idx >= 0 && at.Idx < len(at.Line) && at.Line[at.Idx] >= utf8.RuneSelf
}

// nextTo reports whether an error is at a character.
func nextTo(e *ast.Error, c byte) bool {
	at, ok := e.Details.(*ast.ParserErrorDetail)
	return ok && at.Idx >= 0 && at.Idx < len(at.Line) && at.Line[at.Idx] == c
}
