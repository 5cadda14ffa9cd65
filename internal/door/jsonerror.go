package door

import (
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/suggest"
)

// jsonError says what is wrong with a body, and does not quote it: it holds tokens.
func jsonError(err error) error {
	out := NewCallError(http.StatusBadRequest, "bad_json", "the body is not well-formed JSON", "")
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &semantic):
		out.Pointer = SafePointer(semantic.JSONPointer)
		out.Code, out.Message = "wrong_type", "the member has the wrong type"+wanted(semantic.GoType)
		if errors.Is(err, json.ErrUnknownName) {
			out.Code, out.Message = "unknown_member", "there is no such member"+
				meant(semantic.JSONPointer.LastToken(), semantic.GoType)
		}
	case errors.As(err, &syntactic):
		out.Pointer = SafePointer(syntactic.JSONPointer)
		if errors.Is(err, jsontext.ErrDuplicateName) {
			out.Code, out.Message = "duplicate_member", "the member occurs twice"
		}
	}
	return out
}

// maxNameBytes is more than the longest name of a member has, and less than tokens have.
const maxNameBytes = 30

// SafePointer is p down to the first name that cannot be one of a member: a caller may put a token there by mistake.
func SafePointer(p jsontext.Pointer) string {
	var out strings.Builder
	for name := range p.Tokens() {
		if len(name) > maxNameBytes || strings.ContainsFunc(name, notInName) {
			break
		}
		out.WriteString("/" + name)
	}
	return out.String()
}

func notInName(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-'
}

// wanted names the type that a member of type t must have, as the end of a message, or "".
func wanted(t reflect.Type) string {
	if name := typeName(t); name != "" {
		return ": want " + name
	}
	return ""
}

func typeName(t reflect.Type) string {
	if t == nil {
		return ""
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Map, reflect.Struct:
		return "an object"
	case reflect.Slice:
		switch t.Elem().Kind() {
		case reflect.String:
			return `an array of strings, such as ["..."]`
		case reflect.Struct:
			return "an array of objects"
		}
	}
	return ""
}

// meant suggests a member of the struct t for a misspelt name, or lists all, as the end of a message. The name itself
// is not repeated.
func meant(name string, t reflect.Type) string {
	known := members(t)
	if len(known) == 0 {
		return ""
	}
	if closest := suggest.Closest(name, known); closest != "" {
		return ": did you mean " + strconv.Quote(closest) + "?"
	}
	return ": there are " + strings.Join(known, ", ")
}

// members are the names of the members of a struct in JSON.
func members(t reflect.Type) []string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for f := range t.Fields() {
		if f.Anonymous {
			names = append(names, members(f.Type)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}
