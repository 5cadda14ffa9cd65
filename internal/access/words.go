package access

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/engine/partial"
)

// nouns are the members of the document in words, in the order in which a report lists them.
var nouns = []struct{ member, noun string }{
	{"input.token.scopes", "scopes"},
	{"input.token.audiences", "audiences"},
	{"input.token.permissions", "permissions"},
	{"input.token.roles", "roles"},
	{"input.token.groups", "groups"},
	{"input.token.auth.acr", "acr"},
	{"input.token.auth.amr", "amr"},
	{"input.token.auth.level", "login level"},
	{"input.token.auth.time", "the login"},
	{"input.token.kind", "kind"},
	{"input.token.issuer", "issuer"},
	{"input.token.client_id", "client"},
	{"input.token.subject.type", "subject type"},
	{"input.token.subject.id", "subject"},
	{"input.token.subject.username", "username"},
	{"input.token.actor.subject", "actor"},
	{"input.token.actor.client_id", "client of the actor"},
	{"input.token.tenant", "tenant"},
	{"input.token.issued_at", "issued"},
	{"input.token.not_before", "valid"},
	{"input.token.expires_at", "expires"},
	{"input.token.age", "age of the facts"},
	{"input.token.stale", "stale"},
	{"input.token.binding.method", "binding"},
	{"input.token.binding.verified", "binding verified"},
	{"input.token.authorization_details", "authorization_details"},
	{"input.token.claims", "claims"},
	{"input.token.scheme", "scheme"},
	{"input.token.source", "source"},
	{"input.token.id", "token id"},
	{"input.request.host", "host"},
	{"input.request.scheme", "scheme of the URL"},
	{"input.request.source_ip", "address of the client"},
	{"input.request.body", "body"},
}

// rankOf orders members: those of nouns first.
func rankOf(member string) int {
	for i, n := range nouns {
		if member == n.member {
			return i
		}
	}
	return len(nouns)
}

// times are the members that are seconds since the epoch, with the words for a time that is past, and one to come.
var times = map[string][2]string{
	"input.token.auth.time":  {"the login", "the login"},
	"input.token.issued_at":  {"issued", "issued"},
	"input.token.not_before": {"valid since", "valid"},
	"input.token.expires_at": {"expired", "expires"},
}

// nounOf is a member in words.
func nounOf(member string, path []any) string {
	for _, n := range nouns {
		if member == n.member {
			return n.noun
		}
	}
	name := func(from int) string {
		parts := make([]string, 0, len(path))
		for _, p := range path[from:] {
			parts = append(parts, fmt.Sprint(p))
		}
		return strings.Join(parts, ".")
	}
	last, isIndex := 0, false
	if len(path) > 0 {
		last, isIndex = path[len(path)-1].(int)
	}
	switch {
	case strings.HasPrefix(member, "input.request.headers") && len(path) == 3:
		return "the header " + name(2)
	case strings.HasPrefix(member, "input.request.query") && len(path) == 3:
		return "the parameter " + name(2)
	case strings.HasPrefix(member, "input.request.") && isIndex && len(path) == 4:
		kind := strings.TrimSuffix(map[any]string{"headers": "header", "query": "parameter"}[path[1]], " ")
		return fmt.Sprintf("value %d of the %s %v", last+1, kind, path[2])
	case strings.HasPrefix(member, "input.token.claims."), strings.HasPrefix(member, "input.token.claims["):
		return "claim " + name(2)
	case strings.HasPrefix(member, "input.context"):
		return strings.TrimSpace("context " + name(1))
	}
	return strings.TrimPrefix(strings.TrimPrefix(member, "input.token."), "input.")
}

// verbs are the words of the ops that compare a member with one value, asserted and denied.
var verbs = map[partial.Op][2]string{
	partial.Contains:   {"contains", "does not contain"},
	partial.Is:         {"is", "is not"},
	partial.Differs:    {"is given, and is not", "is absent, or is"},
	partial.StartsWith: {"begins with", "does not begin with"},
	partial.EndsWith:   {"ends with", "does not end with"},
	partial.Includes:   {"has in it", "does not have in it"},
	partial.Less:       {"is below", "is not below"},
	partial.AtMost:     {"is at most", "is not at most"},
	partial.More:       {"is above", "is not above"},
	partial.AtLeast:    {"is at least", "is not at least"},
	partial.OnlyValue:  {"is only", "is not only"},
	partial.HasOther:   {"has another element than", "has no element but"},
}

// speaker puts constraints in words.
type speaker struct {
	now time.Time
	// segment is the number of the segment of the path that a text came from.
	segment func(text string) (int, bool)
}

// text is a constraint in words.
func (s *speaker) text(c partial.Constraint) string {
	which := 0
	if c.Not {
		which = 1
	}
	noun := nounOf(c.Member, c.Path)
	switch c.Op {
	case partial.Rego:
		return []string{"the condition ", "not the condition "}[which] + readable(c.Rego)
	case partial.Opaque:
		return s.opaque(c, which)
	case partial.Any:
		return s.choice(c)
	case partial.True, partial.Present:
		return noun + truth(c, which)
	case partial.OneOf:
		if c.Other != "" {
			return noun + []string{" is one of ", " is none of "}[which] + nounOf(c.Other, c.OtherPath)
		}
		if list, _ := c.Value.([]any); len(list) == 1 {
			c.Op, c.Value = partial.Is, list[0]
			break
		}
		return noun + []string{" is one of ", " is none of "}[which] + s.value(c.Value)
	}
	if c.Op == partial.Length && c.Other == "" {
		return noun + []string{" has ", " does not have "}[which] + s.value(c.Value) + " elements"
	}
	if text := s.timeText(c); text != "" {
		return text
	}
	if c.Other != "" {
		return s.pair(c, which)
	}
	if c.Value == "" && c.Op == partial.Differs {
		return noun + []string{" is not empty", " is absent or empty"}[which]
	}
	if text, ok := c.Value.(string); ok && c.Op == partial.Is {
		if i, ok := s.segment(text); ok {
			return fmt.Sprintf("%s %s segment %d (%s)", noun, []string{"=", "is not"}[which], i, s.value(text))
		}
	}
	return noun + " " + verbs[c.Op][which] + " " + s.value(c.Value)
}

// pair is a constraint between two members. That of the token comes first.
func (s *speaker) pair(c partial.Constraint, which int) string {
	noun, other := nounOf(c.Member, c.Path), nounOf(c.Other, c.OtherPath)
	turned := strings.HasPrefix(c.Member, "input.request.") && !strings.HasPrefix(c.Other, "input.request.")
	if turned && (c.Op == partial.Is || c.Op == partial.OnlyValue) {
		noun, other = other, noun
	}
	switch {
	case c.Op == partial.Is || c.Op == partial.OnlyValue && turned:
		text := noun + []string{" = ", " is not "}[which] + other
		if c.Op == partial.OnlyValue {
			text += ", given once"
		}
		return text
	case c.Op == partial.Contains:
		return noun + []string{" contains ", " does not contain "}[which] + other
	}
	return noun + " " + verbs[c.Op][which] + " " + other
}

func truth(c partial.Constraint, which int) string {
	switch c.Member {
	case "input.token.stale", "input.token.binding.verified", "input.token.active", "input.token.present",
		"input.request.body_truncated":
		return []string{" is true", " is not true"}[which]
	}
	if c.Op == partial.True {
		return []string{" is given, and is not false", " is absent or false"}[which]
	}
	return []string{" is given", " is absent"}[which]
}

// opaque names the rules that a condition depends on, which partial evaluation has not looked into.
func (s *speaker) opaque(c partial.Constraint, which int) string {
	var rules []string
	for _, r := range c.Rules {
		text := r.Path
		if r.File != "" {
			text += fmt.Sprintf(" (%s:%d)", r.File, r.Row)
		}
		rules = append(rules, text)
	}
	if len(rules) == 0 {
		return []string{"whatever ", "the opposite of whatever "}[which] + readable(c.Rego) + " says"
	}
	return []string{"whatever ", "the opposite of whatever "}[which] + strings.Join(rules, " and ") + " says"
}

func (s *speaker) choice(c partial.Constraint) string {
	ways := make([]string, 0, len(c.Any))
	for _, way := range c.Any {
		parts := make([]string, 0, len(way))
		for _, x := range way {
			parts = append(parts, s.text(x))
		}
		ways = append(ways, strings.Join(parts, " and "))
	}
	return "one of: " + strings.Join(ways, "; or ")
}

// maxRelative is the greatest distance from now that is told as such: a farther one stands in the policy as a date.
const maxRelative = 400 * 24 * time.Hour

// timeText is a bound of a time, or "" for anything else.
func (s *speaker) timeText(c partial.Constraint) string {
	words, isTime := times[c.Member]
	bound, isNumber := c.Value.(*big.Rat)
	at := map[partial.Op][2]string{
		partial.AtLeast: {"at most", "at least"}, partial.More: {"less than", "more than"},
		partial.AtMost: {"at least", "at most"}, partial.Less: {"more than", "less than"},
	}[c.Op]
	if !isTime || !isNumber || at[0] == "" {
		return ""
	}
	not := ""
	if c.Not {
		not = "not "
	}
	from := new(big.Rat).Sub(bound, new(big.Rat).SetInt64(s.now.Unix()))
	seconds, _ := from.Float64()
	switch {
	case seconds > maxRelative.Seconds() || seconds < -maxRelative.Seconds():
		f, _ := bound.Float64()
		side := map[partial.Op]string{partial.AtLeast: "from", partial.More: "after", partial.AtMost: "until",
			partial.Less: "before"}[c.Op]
		return fmt.Sprintf("%s%s %s %s", not, words[1], side, time.Unix(int64(f), 0).UTC().Format(time.RFC3339))
	case seconds > 0:
		return fmt.Sprintf("%s%s in %s %s s", not, words[1], at[1], number(from))
	}
	return fmt.Sprintf("%s%s %s %s s ago", not, words[0], at[0], number(from.Neg(from)))
}

func number(r *big.Rat) string {
	if r.IsInt() {
		return r.RatString()
	}
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'g', 12, 64)
}

// value is a constant in words: texts without quotes, where these are plain.
func (s *speaker) value(v any) string {
	switch v := v.(type) {
	case string:
		if v == "" || strings.ContainsAny(v, " ,;\"\n\t") {
			return strconv.Quote(v)
		}
		return v
	case *big.Rat:
		return number(v)
	case []any:
		parts := make([]string, 0, len(v))
		for _, e := range v {
			parts = append(parts, s.value(e))
		}
		return strings.Join(parts, ", ")
	}
	return fmt.Sprint(v)
}

// maxRegoText bounds an expression in a text.
const maxRegoText = 160

// readable is an expression of Rego on one line.
func readable(rego string) string {
	text := strings.Join(strings.Fields(rego), " ")
	if len(text) > maxRegoText {
		text = strings.ToValidUTF8(text[:maxRegoText], "") + "..."
	}
	return text
}
