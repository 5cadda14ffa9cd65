package builtins

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/authz-sidecar/sidecar/internal/engine/term"
	"github.com/authz-sidecar/sidecar/internal/jsonbound"
)

// limit is what the size of the operands does not tell about a call. Its functions take operands of any type.
type limit struct {
	// makes estimates the units of the result, or of what the call iterates over.
	makes func([]*ast.Term) int
	// refuse is the cause of a refusal, or empty.
	refuse func([]*ast.Term) string
	// counts is set for a builtin that makes its result in steps, between which OPA checks the deadline.
	counts bool
	// shallow is set where only the number of elements of the operands matters.
	shallow bool
	// slow reports whether a small call may take long.
	slow func([]*ast.Term) bool
}

// levels is how deep operands are weighed.
func (l limit) levels() int {
	if l.shallow {
		return 2
	}
	return math.MaxInt
}

// isFast reports whether a builtin is fast on operands of any size: it compares, looks up, counts, or reads a text
// once. A builtin that is not known to be fast is bounded.
func isFast(b *ast.Builtin) bool {
	if b.Relation || strings.HasPrefix(b.Name, "internal.") || Unsafe(b.Name) {
		return true // OPA checks the deadline within walk, and the network has one of its own
	}
	for _, prefix := range []string{"is_", "cast_", "time.", "rego.metadata."} {
		if strings.HasPrefix(b.Name, prefix) {
			return true
		}
	}
	return slices.Contains([]string{
		"assign", "eq", "equal", "neq", "lt", "lte", "gt", "gte", "type_name", "count", "all", "any", "max", "min",
		"abs", "ceil", "floor", "round",
		"startswith", "endswith", "contains", "lower", "upper", "substring", "trim", "trim_left", "trim_right",
		"trim_space", "trim_prefix", "trim_suffix",
		"strings.any_prefix_match", "strings.any_suffix_match", "strings.count", "object.get", "array.slice",
		"rand.intn", "uuid.parse", "uuid.rfc4122",
		"trace", "print", "net.cidr_contains", "net.cidr_intersects", "net.cidr_overlap", "net.cidr_is_valid",
		"uri.is_valid", "crypto.hmac.equal",
	}, b.Name)
}

// ownImplementation replaces a builtin of OPA that cannot be bounded from outside, or that costs a policy much; nil
// for the others.
func ownImplementation(name string) topdown.BuiltinFunc {
	switch name {
	case ast.Concat.Name:
		return concat
	case ast.ReachableBuiltin.Name:
		return reachable
	case ast.ReachablePathsBuiltin.Name:
		return reachablePaths
	case ast.RenderTemplate.Name:
		return renderTemplate
	case ast.JSONMatchSchema.Name:
		return boundedSchema(name, 1)
	case ast.JSONSchemaVerify.Name:
		return boundedSchema(name, 0)
	}
	return nil
}

// limitsOf are the limits of the builtins whose work or result depends on more than the size of the operands.
func limitsOf() map[string]limit {
	all := map[string]limit{
		ast.BitsShiftLeft.Name:          {refuse: anyOf(longNumber, wideShift)},
		ast.NumbersRange.Name:           {makes: rangeOf, counts: true},
		ast.NumbersRangeStep.Name:       {makes: rangeOf, counts: true},
		ast.Sprintf.Name:                {makes: sprintfOf},
		ast.Concat.Name:                 {makes: concatOf},
		ast.Replace.Name:                {makes: replaceOf},
		ast.ReplaceN.Name:               {makes: replaceAllOf},
		ast.RegexReplace.Name:           {makes: regexReplaceOf, slow: longPattern(1, 0)},
		ast.JSONMarshalWithOptions.Name: {makes: indentedOf},
		ast.NetCIDRExpand.Name:          {makes: addressesOf, counts: true},
		ast.ReachablePathsBuiltin.Name:  {slow: always},
		ast.NetCIDRContainsMatches.Name: {makes: cidrPairs},
		ast.IndexOf.Name:                {slow: eachByEach},
		ast.IndexOfN.Name:               {slow: eachByEach},
		ast.GlobMatch.Name:              {slow: branchingGlob, refuse: longGlob},
		ast.RegexTemplateMatch.Name:     {slow: always},
		ast.GlobsMatch.Name:             {slow: always},
		ast.RenderTemplate.Name:         {slow: always},
		ast.RegoParseModule.Name:        {slow: always},
		ast.JSONMatchSchema.Name:        {slow: always},
		ast.JSONSchemaVerify.Name:       {slow: always},
	}
	for _, name := range []string{"regex.match", "regex.is_valid", "regex.split", "regex.find_n",
		"regex.find_all_string_submatch_n", "re_match"} {
		all[name] = limit{slow: longPattern(0, 1)}
	}
	for _, name := range []string{"array.concat", "array.flatten", "array.reverse", "object.keys", "object.remove",
		"object.filter", "json.remove", "json.filter", "json.patch", "union", "intersection", "and", "or"} {
		all[name] = limit{shallow: true}
	}
	for _, b := range ast.Builtins {
		switch {
		case strings.HasPrefix(b.Name, "graphql."):
			all[b.Name] = limit{slow: always, refuse: deepGraphQL}
		case strings.HasPrefix(b.Name, "io.jwt.") && b.Name != "io.jwt.decode",
			strings.HasPrefix(b.Name, "crypto.x509."), b.Name == "crypto.parse_private_keys":
			all[b.Name] = limit{slow: always}
		case slices.Contains([]string{"plus", "minus", "mul", "div", "rem", "sum", "product", "to_number",
			"format_int",
			"units.parse", "units.parse_bytes"}, b.Name),
			strings.HasPrefix(b.Name, "bits.") && b.Name != ast.BitsShiftLeft.Name:
			all[b.Name] = limit{refuse: longNumber, shallow: true}
		}
	}
	return all
}

func always([]*ast.Term) bool { return true }

func anyOf(checks ...func([]*ast.Term) string) func([]*ast.Term) string {
	return func(operands []*ast.Term) string {
		for _, check := range checks {
			if what := check(operands); what != "" {
				return what
			}
		}
		return ""
	}
}

func textAt(operands []*ast.Term, i int) string {
	if i < len(operands) {
		s, _ := operands[i].Value.(ast.String)
		return string(s)
	}
	return ""
}

func floatAt(operands []*ast.Term, i int) (float64, bool) {
	if i < len(operands) {
		if n, ok := operands[i].Value.(ast.Number); ok {
			f, err := strconv.ParseFloat(string(n), 64)
			return f, err == nil || math.IsInf(f, 0)
		}
	}
	return 0, false
}

// upTo converts n to units; a larger n than maxUnits is one more than that.
func upTo(n float64) int {
	if n >= maxUnits {
		return maxUnits + 1
	}
	return int(max(n, 0))
}

// longNumber refuses numbers on which arithmetic would be slow and would make longer ones.
func longNumber(operands []*ast.Term) string {
	for _, t := range operands {
		switch v := t.Value.(type) {
		case ast.Number:
			if !jsonbound.Number(string(v)) {
				return "is given what " + jsonbound.TooLarge
			}
		case ast.String:
			if len(v) > 2*maxInlineUnits {
				return fmt.Sprintf("is given a text of more than %d bytes for a number", 2*maxInlineUnits)
			}
		}
	}
	return ""
}

// maxShift is how many bits a number may be shifted to the left: the result has some ten thousand digits.
const maxShift = 1 << 15

func wideShift(operands []*ast.Term) string {
	if by, ok := floatAt(operands, 1); ok && math.Abs(by) > maxShift {
		return fmt.Sprintf("is told to shift by more than %d bits", maxShift)
	}
	return ""
}

func rangeOf(operands []*ast.Term) int {
	from, ok := floatAt(operands, 0)
	to, also := floatAt(operands, 1)
	step := 1.0
	if s, ok := floatAt(operands, 2); ok && len(operands) > 2 && s >= 1 {
		step = s
	}
	if !ok || !also {
		return 0
	}
	return upTo(math.Abs(to-from) / step)
}

// sprintfOf adds widths and precisions, which Go limits to a million each, and assumes that each verb writes all
// arguments.
func sprintfOf(operands []*ast.Term) int {
	format, args := textAt(operands, 0), operands[1:2]
	bytes, digits := 0.0, 0.0
	for i := range len(format) {
		switch c := format[i]; {
		case c >= '0' && c <= '9':
			digits = min(digits*10+float64(c-'0'), 1e6)
		case c == '*':
			digits = 1e6 // the width is an argument
		default:
			bytes, digits = bytes+digits, 0
		}
	}
	bytes += digits
	verbs := float64(strings.Count(format, "%"))
	return upTo(bytes/16 + verbs*float64(weigh(args, maxUnits, math.MaxInt)))
}

func concatOf(operands []*ast.Term) int {
	parts := 0
	if len(operands) > 1 {
		switch v := operands[1].Value.(type) {
		case *ast.Array:
			parts = v.Len()
		case ast.Set:
			parts = v.Len()
		}
	}
	return upTo(float64(parts) * float64(len(textAt(operands, 0))) / 16)
}

func replaceOf(operands []*ast.Term) int {
	s, old, by := textAt(operands, 0), textAt(operands, 1), textAt(operands, 2)
	if len(s)*len(by)/max(1, len(old)) <= 16*maxInlineUnits {
		return 0
	}
	return upTo(float64(strings.Count(s, old)) * float64(len(by)) / 16)
}

func replaceAllOf(operands []*ast.Term) int {
	longest := 0
	if o, ok := operands[0].Value.(ast.Object); ok {
		o.Foreach(func(_, by *ast.Term) {
			if s, ok := by.Value.(ast.String); ok {
				longest = max(longest, len(s))
			}
		})
	}
	return upTo(float64(len(textAt(operands, 1))) * float64(longest) / 64)
}

// regexReplaceOf assumes a match at each fourth character.
func regexReplaceOf(operands []*ast.Term) int {
	return upTo(float64(len(textAt(operands, 0))) * float64(len(textAt(operands, 2))) / 64)
}

func indentedOf(operands []*ast.Term) int {
	each := 0
	if o, ok := operands[1].Value.(ast.Object); ok {
		for _, name := range []string{"prefix", "indent"} {
			if s, ok := term.Member(o, name).(ast.String); ok {
				each += len(s) * 8
			}
		}
	}
	return upTo(float64(weigh(operands[:1], maxUnits, math.MaxInt)) * float64(each) / 16)
}

func addressesOf(operands []*ast.Term) int {
	p, err := netip.ParsePrefix(textAt(operands, 0))
	if err != nil {
		return 0
	}
	return upTo(math.Exp2(float64(p.Addr().BitLen() - p.Bits())))
}

// longPattern reports whether a regular expression, the operand at, may be slow: to compile, since repetitions
// multiply and classes are large, or on the text, the operand on, each character of which may be matched with all
// parts of the expression.
func longPattern(at, on int) func([]*ast.Term) bool {
	return func(operands []*ast.Term) bool {
		pattern, text := textAt(operands, at), textAt(operands, on)
		repetitions := strings.Count(pattern, "{")
		return len(pattern) > 512 || repetitions > 2 || repetitions > 0 && len(text) > 1<<10 ||
			len(pattern)*len(text) > 1<<22 ||
			strings.Contains(pattern, `\p`) || strings.Contains(pattern, `\P`)
	}
}

func branchingGlob(operands []*ast.Term) bool {
	pattern := textAt(operands, 0)
	branches := strings.Count(pattern, "*") + strings.Count(pattern, "{")
	return len(pattern) > 256 || branches > 4 || branches > 1 && len(textAt(operands, 2)) > 1<<12
}

// eachByEach reports whether comparing each character of one text with each of another is slow, which OPA does outside
// of ASCII.
func eachByEach(operands []*ast.Term) bool {
	return len(textAt(operands, 0))*len(textAt(operands, 1)) > 1<<22
}

// cidrPairs is the number of pairs of elements of two collections.
func cidrPairs(operands []*ast.Term) int {
	return upTo(float64(weigh(operands[:1], maxUnits, 1)) * float64(weigh(operands[1:2], maxUnits, 1)))
}

// longGlob refuses patterns on which the parser would recurse too deep.
func longGlob(operands []*ast.Term) string {
	if len(textAt(operands, 0)) > 1<<16 {
		return "is given a pattern of more than 64 KiB"
	}
	return ""
}

// maxBrackets bounds how deep the parser of GraphQL recurses.
const maxBrackets = 10_000

func deepGraphQL(operands []*ast.Term) string {
	for i := range operands {
		text := textAt(operands, i)
		if strings.Count(text, "{")+strings.Count(text, "[")+strings.Count(text, "(") > maxBrackets {
			return fmt.Sprintf("is given a text with more than %d brackets", maxBrackets)
		}
	}
	return ""
}
