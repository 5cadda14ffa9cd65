package policytest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// requestOf is a request that is read as the one of doc.
func requestOf(doc *input.Document) authz.Request {
	r := doc.Request
	out := authz.Request{Method: r.Method, URL: r.RawPath, Headers: maps.Clone(r.Headers), SourceIP: r.SourceIP}
	if out.Headers == nil {
		out.Headers = map[string][]string{}
	}
	if r.Host != "" {
		host := r.Host
		if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
			host = "[" + host + "]"
		}
		if usual := map[string]int64{"http": 80, "https": 443}; r.Port != 0 && r.Port != usual[r.Scheme] {
			host = net.JoinHostPort(strings.Trim(host, "[]"), strconv.FormatInt(r.Port, 10))
		}
		out.URL = r.Scheme + "://" + host + r.RawPath
	}
	if len(r.Query) > 0 {
		out.URL += "?" + url.Values(r.Query).Encode()
	}
	if r.Body != nil {
		out.Body, out.HasBody = *r.Body, true
	}
	return out
}

// perToken are claims that each token has anew: two tokens that differ in nothing else are one to a suite.
func perToken() []string { return []string{"exp", "iat", "nbf", "jti", "sid", "session_state"} }

// lastingOf is a document as JSON, without what each token has anew, and without the age of facts.
func lastingOf(doc *input.Document) any {
	own := *doc
	t := &own.Token
	t.Age, t.Stale, t.ID, t.IssuedAt, t.NotBefore, t.ExpiresAt = 0, false, "", 0, 0, 0
	t.Claims = lasting(t.Claims)
	var v any
	b, err := own.AppendJSON(nil)
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		return err.Error() // not reached: the document has been written before
	}
	return v
}

// difference is a JSON pointer, below at, to a part in which two values of JSON differ, or "".
func difference(a, b any, at string) string {
	x, isObject := a.(map[string]any)
	y, also := b.(map[string]any)
	if !isObject || !also {
		if reflect.DeepEqual(a, b) {
			return ""
		}
		return at
	}
	names := maps.Clone(x)
	maps.Copy(names, y)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if d := difference(x[name], y[name], at+"/"+name); d != "" {
			return d
		}
	}
	return ""
}

// lasting are claims without those of perToken.
func lasting(claims []byte) []byte {
	var members map[string]json.RawMessage
	if json.Unmarshal(claims, &members) != nil || members == nil {
		return claims
	}
	for _, name := range perToken() {
		delete(members, name)
	}
	b, _ := json.Marshal(members) // was JSON
	return b
}

// token is the token of a document, or nil for none.
func (b *bootstrap) token(doc *input.Document, seen time.Time) *loggedToken {
	t := doc.Token
	if !t.Present {
		return nil
	}
	key := t.Source + canonical(lasting(t.Claims))
	if known := b.tokens[key]; known != nil {
		return known
	}
	one := &loggedToken{name: b.tokenName(t), seen: seen}
	b.tokens[key] = one
	b.names = append(b.names, one.name)
	a := answer{json: t.Claims}
	if t.Source == string(authz.LocalJWT) {
		a = answer{claims: t.Claims}
	}
	b.suite.tokens[one.name] = a
	return one
}

// tokenName is what a token is called: by whom it speaks for.
func (b *bootstrap) tokenName(t input.Token) string {
	name := "token"
	for _, known := range []string{t.Subject.Username, t.Subject.ID, t.ClientID} {
		if known != "" {
			name = shown(known)
			break
		}
	}
	for i, first := 2, name; slices.Contains(b.names, name) || name == noToken; i++ {
		name = fmt.Sprintf("%s %d", first, i)
	}
	return name
}

// shown is a text for a name: short and printable.
func shown(text string) string {
	const most = 80
	text = strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '_'
		}
		return r
	}, text)
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "..."
	}
	return text
}

// cellOf is what an event says was decided, in YAML.
func cellOf(e *decisionlog.Event) string {
	var reasons []string
	for _, r := range e.Facts.Reasons {
		reasons = append(reasons, r.Code)
	}
	return cellText(e.Facts.Kind, e.Facts.Status, reasons)
}

func cellOfDecision(d *authz.Decision) string {
	return cellText(d.Kind.String(), d.Status, codes(d.Reasons))
}

func cellText(kind string, status int, reasons []string) string {
	if kind == authz.Allow.String() {
		return kind
	}
	list := make([]any, 0, len(reasons))
	for _, code := range distinct(slices.Values(reasons)) {
		list = append(list, code)
	}
	return fmt.Sprintf("{kind: %s, status: %d, reasons: %s}", kind, status, flow(list))
}

// leftOut counts what cannot be replayed, by the reason.
type leftOut map[string]int

func (l leftOut) add(why string) { l[why]++ }

// lines are "3 were decided by no policy: unauthenticated", most first.
func (l leftOut) lines() []string {
	var out []string
	for _, why := range slices.SortedFunc(maps.Keys(l), func(a, b string) int {
		if l[a] != l[b] {
			return l[b] - l[a]
		}
		return strings.Compare(a, b)
	}) {
		out = append(out, fmt.Sprintf("%d: each %s", l[why], why))
	}
	return out
}

func (l leftOut) text() string { return strings.Join(l.lines(), "; ") }
