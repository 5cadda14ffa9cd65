package rego

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/suggest"
)

// foreignNames are members of the input of other products, with the members here. The longest prefix of a reference
// counts.
var foreignNames = map[string]string{
	"method":                          "input.request.method",
	"path":                            "input.request.path (a text) or input.request.segments (an array)",
	"parsed_path":                     "input.request.segments",
	"path_parts":                      "input.request.segments",
	"parsed_query":                    "input.request.query",
	"parameters":                      "input.request.query",
	"query":                           "input.request.query",
	"parsed_body":                     "json.unmarshal(input.request.body), with input.body_bytes configured",
	"body":                            "input.request.body, with input.body_bytes configured",
	"truncated_body":                  "input.request.body_truncated",
	"headers":                         "input.request.headers (names in lower case, arrays of texts)",
	"host":                            "input.request.host",
	"scheme":                          "input.request.scheme",
	"client_ip":                       "input.request.source_ip",
	"source_ip":                       "input.request.source_ip",
	"user":                            "input.token.subject.id",
	"username":                        "input.token.subject.username",
	"roles":                           "input.token.roles",
	"groups":                          "input.token.groups",
	"scopes":                          "input.token.scopes",
	"scope":                           "input.token.scopes",
	"claims":                          "input.token.claims",
	"jwt":                             "input.token.claims: policies never see a token, only what it says",
	"encodedJwt":                      "input.token.claims: policies never see a token, only what it says",
	"identity":                        "input.token.claims",
	"auth":                            "input.token: its claims, subject, roles",
	"state":                           "input.token.claims for state.jwt, input.context for the rest",
	"tenant":                          "input.token.tenant",
	"tenant_id":                       "input.token.tenant",
	"attributes":                      "input.request",
	"attributes.request.http":         "input.request",
	"attributes.request.http.method":  "input.request.method",
	"attributes.request.http.path":    "input.request.path (without the query)",
	"attributes.request.http.headers": "input.request.headers (arrays of texts)",
	"attributes.request.http.host":    "input.request.host",
	"attributes.request.http.scheme":  "input.request.scheme",
	"attributes.request.http.body":    "input.request.body, with input.body_bytes configured",
	"attributes.source":               "input.request.source_ip",
	"attributes.contextExtensions":    "input.context.contextExtensions, when the caller passes it",
	"attributes.metadataContext":      "input.token.claims for the payload of a JWT, else input.context",
	"check_request":                   "input.request",
	"http_request":                    "input.request",
	"http_request.path":               "input.request.path (without the query)",
	"consumer":                        "input.token.subject.username or input.token.client_id",
	"request.http":                    "input.request",
	"request.http.method":             "input.request.method",
	"request.http.path":               "input.request.path",
	"request.http.host":               "input.request.host",
	"request.http.headers":            "input.request.headers (arrays of texts)",
	"request.http.querystring":        "input.request.query",
	"request.path_parts":              "input.request.segments",
	"request.raw_query":               "input.request.query",
	"request.url_path":                "input.request.path",
	"request.parsed_path":             "input.request.segments",
	"request.parsed_body":             "json.unmarshal(input.request.body), with input.body_bytes configured",
	"request.client_ip":               "input.request.source_ip",
	"var":                             "input.request: source_ip for remote_addr",
	"token.payload":                   "input.token.claims",
	"token.sub":                       "input.token.subject.id",
	"token.username":                  "input.token.subject.username",
	"token.scope":                     "input.token.scopes",
	"token.aud":                       "input.token.audiences",
	"token.iss":                       "input.token.issuer",
	"token.exp":                       "input.token.expires_at",
	"token.jti":                       "input.token.id",
	"token.tenant_id":                 "input.token.tenant",
	"token.valid":                     "input.token.active",
	"token.verified":                  "input.token.active",
}

// InputHint says what to write instead of a reference to an undefined member of the input: "; ...", or empty.
func InputHint(ref ast.Ref) string {
	names := constantPrefix(ref)
	if len(names) < 2 || !ref.HasPrefix(ast.InputRootRef) {
		return ""
	}
	names = names[1:]
	if len(names) > 2 && names[0] == "request" && names[1] == "headers" {
		return headerHint(names[2])
	}
	if len(names) > 2 && names[0] == "request" && names[1] == "query" {
		return "; a parameter that holds a token never passes"
	}
	for n := len(names); n > 0; n-- {
		if name, ok := foreignNames[strings.Join(names[:n], ".")]; ok {
			return fmt.Sprintf("; here %s is %s", "input."+strings.Join(names[:n], "."), name)
		}
	}
	return ownMemberHint(names)
}

// ownMemberHint is the hint about a member that is misspelt, or that an application made up.
func ownMemberHint(names []string) string {
	schema := InputSchema()
	first, low := slices.Sorted(maps.Keys(propertiesOf(schema))), strings.ToLower(names[0])
	set := slices.DeleteFunc(slices.Clone(first), func(name string) bool {
		return slices.Contains(unsetMembers, name)
	})
	switch near := suggest.Closest(names[0], set); {
	case slices.Contains(unsetMembers, names[0]):
		return unsetHint(names[0])
	case slices.Contains(set, names[0]) && len(names) > 1:
		inner, _ := Property(schema, names[0])
		near = suggest.Closest(names[1], slices.Sorted(maps.Keys(propertiesOf(inner))))
		if near != "" && near != names[1] {
			return "; did you mean input." + names[0] + "." + near + "?"
		}
		return ""
	case near != "" && (low == names[0] || low == near): // names with capitals come from elsewhere
		return "; did you mean input." + near + "?"
	case foreignNames[low] != "":
		return fmt.Sprintf("; here input.%s is %s", low, foreignNames[low])
	}
	return fmt.Sprintf("; what the caller passes is in input.context: input.context.%s", names[0])
}

func propertiesOf(schema map[string]any) map[string]any {
	members, _ := schema["properties"].(map[string]any)
	return members
}

// unsetMembers are members of the input that a question about an HTTP request does not set.
var unsetMembers = []string{"action", "resource", "subject"}

func unsetHint(name string) string {
	return fmt.Sprintf("; nothing sets input.%s: what the caller passes is input.context.%[1]s", name)
}

// UnsetInputHint is the hint about a reference to a member of the input that nothing sets; empty for any other.
func UnsetInputHint(ref ast.Ref) string {
	if len(ref) < 2 || !ref.HasPrefix(ast.InputRootRef) {
		return ""
	}
	name, ok := ref[1].Value.(ast.String)
	if !ok || !slices.Contains(unsetMembers, string(name)) {
		return ""
	}
	return unsetHint(string(name))
}

// headerHint says why policies never see a header.
func headerHint(name string) string {
	switch low := strings.ToLower(name); {
	case input.HoldsCredential(name):
		return "; policies never see a header that may hold a credential: input.token has the facts"
	case low != name:
		return fmt.Sprintf("; names of headers are in lower case: %q", low)
	}
	return "; input.headers of the configuration does not pass it"
}

// ArrayHint says how values of headers and parameters are compared, where one of refs is the array of them.
func ArrayHint(refs ...ast.Ref) string {
	for _, ref := range refs {
		if isValueArray(ref) {
			return `; it is an array of values: write "v" in ` + AsWritten(ref)
		}
	}
	return ""
}

// ArrayKeyHint says how to look something up by the value of a header or a parameter.
func ArrayKeyHint(ref ast.Ref) string {
	if !isValueArray(ref) {
		return ""
	}
	return "; it is an array of values: take each, as by some v in " + AsWritten(ref)
}

// isValueArray reports whether ref is the array of the values of a header or a parameter.
func isValueArray(ref ast.Ref) bool {
	return len(ref) == 4 && (ref.HasPrefix(headersRef) || ref.HasPrefix(queryRef))
}

var (
	headersRef = ast.MustParseRef("input.request.headers")
	queryRef   = ast.MustParseRef("input.request.query")
)

// hintOf says what to do about an error of OPA, to be appended to its message: "; ...", or empty.
func hintOf(e *ast.Error) string {
	switch detail := e.Details.(type) {
	case *ast.RefErrInvalidDetail:
		if hint := InputHint(detail.Ref); hint != "" || detail.Ref.HasPrefix(ast.InputRootRef) {
			return hint
		}
		return aliasHint(detail)
	case *ast.RefErrUnsupportedDetail:
		return memberHint(detail)
	case *functionDetail:
		return detail.hint
	case *ast.UnificationErrDetail:
		return unequalHint(detail, e.Location)
	}
	switch message := e.Message; {
	case strings.HasPrefix(message, "io.jwt."):
		return noTokenHint
	case strings.HasPrefix(message, "undefined function "):
		return functionHint(strings.TrimPrefix(message, "undefined function "))
	case e.Code == ast.RecursionErr && strings.Contains(message, " may be recursive"):
		return "; rules are under data as well: give the data another name than the package"
	case e.Code == ast.UnsafeVarErr:
		return "; nothing gives it a value: is the name misspelt, or is a := or a some missing?"
	case strings.HasPrefix(message, "arg ") && strings.HasSuffix(message, " redeclared"):
		return "; a parameter has its value from the call: compare by ==, or give the variable another name"
	case strings.HasSuffix(message, " assigned above"):
		return "; a variable has one value: give the second one another name, or compare by =="
	case e.Code == ast.ParseErr:
		return syntaxHint(e)
	}
	return ""
}

// memberHint is the hint about a member of a value that has none, such as a text.
func memberHint(detail *ast.RefErrUnsupportedDetail) string {
	if hint := InputHint(detail.Ref); hint != "" {
		return hint
	}
	of := detail.Ref[:detail.Pos+1]
	hint := fmt.Sprintf("; %s is %s, which has no members", AsWritten(of), term.KindsOf(detail.Have))
	if of.Equal(pathRef) {
		hint += ": input.request.segments are the parts of the path"
	}
	return hint
}

var pathRef = ast.MustParseRef("input.request.path")

// wholeToken finds comparisons of all that is known of the token, at either end.
var wholeToken = regexp.MustCompile(`\binput\.token(\s|$)`)

// unequalHint is the hint about a comparison of values of different types.
func unequalHint(detail *ast.UnificationErrDetail, at *ast.Location) string {
	l, r := term.KindsOf(detail.Left), term.KindsOf(detail.Right)
	switch {
	case l == term.ArrayKind && r == term.StringKind || l == term.StringKind && r == term.ArrayKind:
		return `; an array never equals a text: write "v" in the array, as for headers and parameters`
	case at != nil && wholeToken.Match(at.Text):
		return noTokenHint
	}
	return fmt.Sprintf("; %s never equals %s", l, r)
}

// noTokenHint is what policies have in place of a token.
const noTokenHint = "; policies never see a token: " +
	"input.token.claims has what it says, and input.token.active that it is good"

// aliasHint is the hint about a header behind an alias, where the error lists the names that are there.
func aliasHint(detail *ast.RefErrInvalidDetail) string {
	name, ok := detail.Ref[detail.Pos].Value.(ast.String)
	lower := ast.String(strings.ToLower(string(name)))
	if ok && (input.HoldsCredential(string(name)) ||
		lower != name && slices.ContainsFunc(detail.OneOf, func(v ast.Value) bool { return lower.Equal(v) })) {
		return headerHint(string(name))
	}
	return ""
}

// shippedPackages are the packages of the shipped library. A missing import of one is a common error.
var shippedPackages = []string{"audience", "login", "routes", "scopes", "tenant"}

// functionHint is the hint about an undefined function that no module defines.
func functionHint(name string) string {
	if strings.HasPrefix(name, "data.") && strings.Contains(name, ".internal.") &&
		ast.BuiltinMap[name[strings.LastIndex(name, "internal."):]] != nil {
		return "; a rule or an import has the name internal, which hides the builtins that OPA makes of in and of print: " +
			"give it another name"
	}
	if builtins.Unsafe(name) {
		return fmt.Sprintf("; it reaches the network or the machine, and is off unless engine.allow_builtins names %s",
			name)
	}
	pkg, _, ok := strings.Cut(name, ".")
	if ok && slices.Contains(shippedPackages, pkg) {
		return "; is the line import data.sidecar." + pkg + " missing?"
	}
	if near := suggest.Closest(name, slices.Sorted(maps.Keys(ast.BuiltinMap))); near != "" && !builtins.Unsafe(near) {
		return "; did you mean " + near + "?"
	}
	return ""
}
