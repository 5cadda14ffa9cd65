package door

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/suggest"
)

// jsonError says what is wrong with a body that is no JSON of type into, and does not quote it: it holds tokens.
func jsonError(err error, body []byte, into reflect.Type) error {
	out := NewCallError(http.StatusBadRequest, "bad_json", notJSON(body, int64(len(body))), "")
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &semantic):
		out.Pointer = SafePointer(semantic.JSONPointer)
		out.Code, out.Message = "wrong_type", WrongType(semantic.GoType, semantic.JSONKind)
		if semantic.JSONPointer == "" && semantic.JSONKind == '[' && slices.Contains(members(into), "items") {
			out.Message += `: write {"items": [...]}`
		}
		if errors.Is(err, json.ErrUnknownName) {
			out.Code = "unknown_member"
			out.Message = "there is no such member" + meant(semantic.JSONPointer, semantic.GoType, into)
		}
	case errors.As(err, &syntactic):
		out.Pointer, out.Message = SafePointer(syntactic.JSONPointer), notJSON(body, syntactic.ByteOffset)
		if errors.Is(err, jsontext.ErrDuplicateName) {
			out.Code, out.Message = "duplicate_member", "the member occurs twice: write it once"
		}
	}
	return out
}

// notJSON says where a body is not well-formed, and what is often the reason there.
func notJSON(body []byte, offset int64) string {
	before := body[:min(int64(len(body)), max(offset, 0))]
	rest := body[len(before):]
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return "the body is empty: want a JSON object"
	case len(bytes.TrimSpace(rest)) == 0:
		return "the JSON of the body is cut off: it ends before its last bracket or quote"
	}
	row := 1 + bytes.Count(before, []byte("\n"))
	column := len(before) - bytes.LastIndexByte(before, '\n')
	where := fmt.Sprintf("the body is not well-formed JSON at row %d, column %d", row, column)
	if why := syntaxReason(body, before, rest); why != "" {
		return where + ": " + why
	}
	return where
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

// WrongType says what a member that Go reads as t wants, and which kind of JSON came.
func WrongType(t reflect.Type, came jsontext.Kind) string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name, example := typeName(t)
	message := "want " + name
	if got := kindName(came); got != "" && (name != wholeNumber || came != '0') {
		message += ", not " + got
	}
	if example != "" {
		message += ": write " + example
	}
	return message
}

const wholeNumber = "a whole number"

// rawJSON is the type of what is read later, by itself: the items of a list.
var rawJSON = reflect.TypeFor[jsontext.Value]()

// typeName is a type in words, and how to write one where another type is often sent.
func typeName(t reflect.Type) (name, example string) {
	switch {
	case t == nil:
		return "another type", ""
	case t.Kind() == reflect.String:
		return "a string", ""
	case t.Kind() == reflect.Bool:
		return "true or false", ""
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String:
		return "an array of strings", `["..."]`
	case t.Kind() == reflect.Slice && (t.Elem().Kind() == reflect.Struct || t.Elem() == rawJSON):
		return "an array of objects", "[{...}]"
	case t.Kind() == reflect.Int:
		return wholeNumber, "10"
	}
	return "an object", "" // a struct, a map or free JSON; tests know no other kind
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "true or false"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return ""
}

// meant says, as the end of a message, which member of the struct t the name at the end of a pointer may stand for:
// one that is spelt like it, or one of the same name that belongs elsewhere in the body, which is read into root. Else
// it lists all. The name itself is not repeated: it may be a token.
func meant(at jsontext.Pointer, t, root reflect.Type) string {
	name := at.LastToken()
	known := members(t)
	if len(known) == 0 {
		return ""
	}
	if closest := suggest.Closest(name, known); closest != "" {
		return ": did you mean " + strconv.Quote(closest) + "?"
	}
	if other := otherNames[name]; slices.Contains(known, other) {
		return ": did you mean " + strconv.Quote(other) + "?"
	}
	if name == "items" && !slices.Contains(members(root), name) {
		return ": a batch is asked at /v1/decisions/batch"
	}
	if slices.Contains(members(root), name) {
		return ": it belongs beside " + strconv.Quote(holder(at.Parent()))
	}
	for f := range structOf(t).Fields() {
		if slices.Contains(members(f.Type), name) {
			inner, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			return ": it belongs into " + strconv.Quote(inner)
		}
	}
	return ": there are " + strings.Join(known, ", ")
}

// otherNames are what other products call members, and the names here.
var otherNames = map[string]string{"path": "url", "target": "url", "verb": "method", "cookie": "headers",
	"cookies": "headers", "ip": "source_ip", "client_ip": "source_ip", "remote_addr": "source_ip", "iss": "issuer"}

// holder is the member of a call that an object is, or is an item of.
func holder(at jsontext.Pointer) string {
	for strings.Trim(at.LastToken(), "0123456789") == "" && at != "" {
		at = at.Parent()
	}
	return at.LastToken()
}

// structOf is t without pointers, if that is a struct, and else a struct without fields.
func structOf(t reflect.Type) reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return reflect.TypeFor[struct{}]()
	}
	return t
}

// members are the names of the members of a struct in JSON.
func members(t reflect.Type) []string {
	var names []string
	for f := range structOf(t).Fields() {
		if f.Anonymous {
			names = append(names, members(f.Type)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}
