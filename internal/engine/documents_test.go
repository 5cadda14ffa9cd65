package engine

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/mcp"
)

// documents draws input documents as requests make them. Few values are drawn from, so that documents which differ
// little are common.
type documents struct {
	random *rand.Rand
	// tokens are claims that several documents share, as requests with one token do.
	tokens []*authz.Claims
	// segments has every other document differ in one segment of the path, for policies that read these.
	segments bool
}

var (
	words = []string{"a", "b", "a/b", "", "GET", "é", "e\u0301", "ab", "a,b", "v", "path", "1", "0", "10.1.2.3",
		"u", "w1", "/a"}
	// jsonValues differ in the spelling of numbers, in kinds of nothing, in Unicode, in the order of members, and in
	// which member has which value: OPA's hash of an object is the sum of those of its members. 1 comes often: it is a
	// name and a position in the data.
	jsonValues = []string{`1`, `1`, `1`, `1`, `1`, `1.0`, `1e0`, `10e-1`,
		`"1"`, `0`, `-0`, `0.0`, `null`, `false`, `true`, `"a"`, `"b"`,
		`""`, `"a/b"`, `"é"`, `"e\u0301"`, `"\u00e9"`, `[]`, `{}`, `["a"]`, `["a","b"]`,
		`["b","a"]`, `["a/b"]`, `[1,[0]]`,
		`[[1],0]`, `{"a":"p","b":"q"}`, `{"a":"q","b":"p"}`, `{"b":"q","a":"p"}`, `{"a":1}`, `{"a":1.0}`, `{"a":null}`,
		`9007199254740993`, `9007199254740992`, `1795168800000000000`, `[null]`, `"null"`, `{"a":{"a":1}}`,
		`[{"a":1}]`}
)

func newDocuments(random *rand.Rand) *documents {
	d := &documents{random: random}
	for range 6 {
		d.tokens = append(d.tokens, d.claims())
	}
	return d
}

func (d *documents) one(of ...string) string { return draw(d.random, of) }

func (d *documents) word() string { return draw(d.random, words) }

// some reports true once in n.
func (d *documents) some(n int) bool { return d.random.IntN(n) == 0 }

func (d *documents) list() []string {
	switch n := d.random.IntN(5); n {
	case 0:
		return nil
	case 1:
		return []string{}
	default:
		out := make([]string, n-1)
		for i := range out {
			out[i] = d.word()
		}
		return out
	}
}

func (d *documents) lists() map[string][]string {
	out := map[string][]string{}
	for _, name := range []string{"x-a", "accept", "x-b", "a", "q", "GET"} {
		if d.some(2) {
			out[name] = d.list()
		}
	}
	return out
}

// object is the JSON of an object, nothing, or, now and then, what no policy can read.
func (d *documents) object() []byte {
	if d.some(6) {
		return nil
	}
	if d.some(300) {
		return []byte(d.one(`{"v":1,"v":2}`, `{"v":`, `{"v":"\ud800"}`))
	}
	var members []string
	for _, name := range []string{"v", "w", "a", "b", "GET", "v.a", ""} {
		if d.some(2) {
			members = append(members, `"`+name+`":`+draw(d.random, jsonValues))
		}
	}
	d.random.Shuffle(len(members), func(i, k int) { members[i], members[k] = members[k], members[i] })
	return []byte("{" + strings.Join(members, ",") + "}")
}

func sorted(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

func (d *documents) claims() *authz.Claims {
	c := &authz.Claims{
		Active: true, Kind: authz.TokenKind(d.one("access", "unknown")), Issuer: d.word(), ID: d.word(),
		Subject: authz.Subject{ID: d.word(), Type: authz.SubjectType(d.one("user", "client", "unknown")),
			Username: d.word()},
		ClientID: d.word(), Tenant: d.word(), Slot: new(authz.Slot),
		Scopes: sorted(d.list()), Roles: sorted(d.list()), Groups: sorted(d.list()), Permissions: sorted(d.list()),
		Auth: authz.Authentication{ACR: d.word(), AMR: d.list(), Time: authz.Time(d.random.IntN(3)),
			Level: int64(d.random.IntN(2)), HasLevel: d.some(2)},
		Raw: d.object(), Fetched: start.Add(-time.Duration(d.random.IntN(3)) * time.Second),
		ExpiresAt: draw(d.random, []authz.Time{0, authz.Time(start.Unix() + 60), authz.Time(start.Unix() + 61)}),
		FreshFor:  draw(d.random, []time.Duration{0, time.Second, time.Hour}),
	}
	if c.Scopes == nil {
		c.Scopes = []string{}
	}
	if d.some(2) {
		c.Audiences = sorted(d.list())
	}
	if d.some(3) {
		c.Actor = &authz.Actor{Subject: d.word(), ClientID: d.word()}
	}
	if d.some(3) {
		c.AuthorizationDetails = []byte(`[{"type":"a","v":` + draw(d.random, jsonValues) + `}]`)
	}
	return c
}

func (d *documents) request() input.Request {
	segments := d.list()
	if d.some(2) {
		segments = draw(d.random, [][]string{{"a"}, {"a", "b"}, {"a/b"}, {"a", "", "b"}, {"a", "b", "b"},
			{"b", "a", "a"}, {"b"}, {"a", "b/b"}, {"a/b", "b"}, {"b", "**"}, {}, {"a", d.word()},
			{"a", d.word(), "b"}, {d.word(), d.word()}, {"u", "u"}, {"u", "w1"}, {"b", "0"}, {"b", "1"}, {"a", "u"}})
	}
	path := "/" + strings.Join(segments, "/")
	r := input.Request{Method: d.one("GET", "POST", "a", "GET"), Path: path, RawPath: path, Segments: segments,
		Query: d.lists(), Headers: d.lists(), Scheme: d.one("", "http", "https"), Host: d.word(),
		Port: int64(d.random.IntN(3)), SourceIP: d.word()}
	if d.some(3) {
		r.Path = d.word()
	}
	if d.some(3) {
		body := d.word()
		r.Body, r.BodyTruncated = &body, d.some(2)
	}
	return r
}

func (d *documents) entity() *input.Entity {
	if d.some(2) {
		return nil
	}
	return &input.Entity{Type: d.word(), ID: d.word(), Properties: d.object()}
}

// document draws a document.
func (d *documents) document() *input.Document {
	q := input.Query{Request: d.request(), Context: d.object(), Subject: d.entity(), Resource: d.entity()}
	if d.some(2) {
		q.Action = &input.Action{Name: d.word(), Properties: d.object()}
	}
	if d.some(3) {
		q.MCP = &mcp.View{Kind: "request", Method: d.word(), Tool: d.word(), Arguments: d.object()}
	}
	if d.some(12) {
		q.Request = input.Request{} // a question of AuthZEN about no request
	}
	if d.some(8) {
		return input.Anonymous(q)
	}
	c := draw(d.random, d.tokens)
	if d.some(3) {
		c = d.claims()
	}
	return input.Build(q, c, input.Presented{Scheme: d.one("bearer", "dpop"), Verified: d.some(2)}, start)
}

// near draws a document that differs from old in little.
func (d *documents) near(old *input.Document) *input.Document {
	out, other := *old, d.document()
	r := &out.Request
	if !out.HasRequest() {
		out.Request = other.Request
		return &out
	}
	r.Headers, r.Query, r.Segments = maps.Clone(r.Headers), maps.Clone(r.Query), slices.Clone(r.Segments)
	kind := d.random.IntN(22)
	if len(r.Segments) > 0 && d.segments && d.some(2) {
		kind = -1
	}
	switch kind {
	case -1:
		r.Segments[d.random.IntN(len(r.Segments))] = d.word()
	case 0:
		out.Context = other.Context
	case 1:
		r.Segments = other.Request.Segments
	case 2:
		r.Segments = movedBorder(r.Segments)
	case 3:
		name := d.one("x-a", "accept", "x-b", "q")
		r.Headers[name] = movedBorder(r.Headers[name])
	case 4:
		r.Headers[d.one("x-a", "accept", "q")] = d.list()
	case 5:
		r.Headers, r.Query = r.Query, r.Headers
	case 6:
		r.Query[d.one("q", "a")] = d.list()
	case 7:
		delete(r.Headers, d.one("x-a", "accept"))
	case 8:
		r.Path, r.RawPath = r.RawPath, r.Path
	case 9:
		r.Path = d.word()
	case 10:
		r.Method, r.Host = d.one("GET", "POST", "a"), r.Method
	case 11:
		r.Body, r.BodyTruncated = other.Request.Body, other.Request.BodyTruncated
	case 12:
		out.Subject, out.Resource = out.Resource, out.Subject
	case 13:
		out.Action, out.MCP = other.Action, other.MCP
	case 14:
		out.Subject = other.Subject
	case 15:
		r.Port, r.SourceIP, r.Scheme = other.Request.Port, d.word(), other.Request.Scheme
	case 16:
		d.otherValue(&out)
	case 17: // the names and values of headers one on
		r.Headers["x-a"], r.Headers["accept"] = r.Headers["accept"], r.Headers["x-a"]
	default:
		return d.otherToken(&out)
	}
	return &out
}

// otherValue replaces a value within the context.
func (d *documents) otherValue(out *input.Document) {
	text := string(out.Context)
	for range 8 {
		from := draw(d.random, jsonValues)
		if at := strings.Index(text, ":"+from); at >= 0 {
			out.Context = []byte(text[:at+1] + draw(d.random, jsonValues) + text[at+1+len(from):])
			return
		}
	}
}

// otherToken is out with a token that differs in little.
func (d *documents) otherToken(out *input.Document) *input.Document {
	if out.Claims == nil {
		return d.document()
	}
	c, from := d.claims(), out.Claims
	next := authz.Claims{Active: true, Kind: from.Kind, Issuer: from.Issuer, ID: from.ID, Subject: from.Subject,
		ClientID: from.ClientID, Tenant: from.Tenant, Scopes: from.Scopes, Audiences: from.Audiences,
		Roles:  from.Roles,
		Groups: from.Groups, Permissions: from.Permissions, Auth: from.Auth, Actor: from.Actor, Raw: from.Raw,
		AuthorizationDetails: from.AuthorizationDetails, Fetched: from.Fetched, ExpiresAt: from.ExpiresAt,
		FreshFor: from.FreshFor, Slot: new(authz.Slot)}
	switch d.random.IntN(12) {
	case 0:
		next.Roles, next.Groups = next.Groups, next.Roles
	case 1:
		next.Raw = c.Raw
	case 2:
		next.Scopes = c.Scopes
	case 3:
		next.Tenant, next.ClientID = next.ClientID, next.Tenant
	case 4:
		next.Subject.ID, next.Subject.Username = next.Subject.Username, next.Subject.ID
	case 5:
		next.Audiences = c.Audiences
	case 6:
		next.Auth = c.Auth
	case 7:
		next.Actor = c.Actor
	case 8:
		next.AuthorizationDetails = c.AuthorizationDetails
	case 9:
		next.Fetched, next.FreshFor, next.ExpiresAt = c.Fetched, c.FreshFor, c.ExpiresAt
	case 10:
		next.Issuer, next.ID, next.Kind = c.Issuer, c.ID, c.Kind
	case 11:
		next.Roles = movedBorder(next.Roles)
	}
	q := input.Query{Request: out.Request, Context: out.Context, Subject: out.Subject, Action: out.Action,
		Resource: out.Resource, MCP: out.MCP}
	return input.Build(q, &next, input.Presented{Scheme: d.one("bearer", "dpop"), Verified: d.some(2)}, start)
}

// movedBorder has the same text in other parts.
func movedBorder(list []string) []string {
	switch {
	case len(list) == 1 && strings.Contains(list[0], "/"):
		return strings.Split(list[0], "/")
	case len(list) > 1:
		return append([]string{list[0] + "/" + list[1]}, list[2:]...)
	case len(list) == 1 && list[0] == "":
		return nil
	case len(list) == 0:
		return []string{""}
	}
	return append(slices.Clone(list), "")
}
