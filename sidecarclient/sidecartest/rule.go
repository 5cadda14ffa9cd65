package sidecartest

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/authz-sidecar/sidecar/sidecarclient"
)

// Rule says what becomes of the requests that it matches.
type Rule struct {
	// Method is that of the request; empty matches all.
	Method string
	// Path is that of the request as it arrived, not decoded. A segment "*" matches any one segment, and "**" at the
	// end all that follow, one or more. Empty matches all.
	Path string
	// Token is the token of the request, as Bearer or DPoP; empty matches all requests, with a token and without.
	Token string
	// Decision is the answer: Allow, Deny, or one that the test makes up.
	Decision sidecarclient.Decision
	// Fault is what happens instead of an answer; empty for an answer.
	Fault Fault
}

// Fault is how the sidecar fails.
type Fault string

// The faults.
const (
	// Hangs takes the call and answers nothing until the caller leaves.
	Hangs Fault = "hangs"
	// Breaks closes the connection in the middle of an answer.
	Breaks Fault = "breaks"
	// Fails answers 500.
	Fails Fault = "fails"
)

// On returns a rule for a method and a path in one text, such as "GET /orders/*". "/orders/*" matches all methods.
func On(pattern string, d sidecarclient.Decision) Rule {
	method, path, both := strings.Cut(pattern, " ")
	if !both {
		method, path = "", pattern
	}
	return Rule{Method: method, Path: path, Decision: d}
}

// Allow is a decision that allows, with the headers that the application gets in place of the client's own. Names and
// values come as pairs.
func Allow(upstream ...string) sidecarclient.Decision {
	d := sidecarclient.Decision{
		Allow: true, Kind: sidecarclient.KindAllow, Status: http.StatusOK, Policy: policy,
		UpstreamHeaders: http.Header{},
	}
	for i := 0; i+1 < len(upstream); i += 2 {
		d.UpstreamHeaders.Add(upstream[i], upstream[i+1])
	}
	return d
}

// Deny is a decision that refuses with a status and one reason. 401 is unauthenticated, and has a challenge.
func Deny(status int, code, message string) sidecarclient.Decision {
	d := sidecarclient.Decision{
		Kind: sidecarclient.KindDeny, Status: status, Policy: policy, Headers: http.Header{},
		Reasons: []sidecarclient.Reason{{Code: code, Message: message}},
	}
	if status == http.StatusUnauthorized {
		d.Kind = sidecarclient.KindUnauthenticated
		d.Headers.Set("WWW-Authenticate", `Bearer realm="sidecartest"`)
	}
	return d
}

// Oblige returns d with obligations of these types.
func Oblige(d sidecarclient.Decision, types ...string) sidecarclient.Decision {
	obligations := make([]map[string]string, len(types))
	for i, t := range types {
		obligations[i] = map[string]string{"type": t, "id": t}
	}
	context, err := json.Marshal(map[string]any{"obligations": obligations})
	if err != nil {
		panic(err) // texts
	}
	d.Context = context
	return d
}

var policy = sidecarclient.Policy{Path: "authz/decision", Revision: "sidecartest", Digest: "sha256:00"}

func (r Rule) matches(asked sidecarclient.Request) bool {
	return (r.Method == "" || r.Method == asked.Method) && (r.Path == "" || under(r.Path, pathOf(asked.URL))) &&
		(r.Token == "" || r.Token == tokenOf(asked))
}

// pathOf is the path of a target or URL, as it is written.
func pathOf(url string) string {
	if _, rest, absolute := strings.Cut(url, "://"); absolute {
		_, path, _ := strings.Cut(rest, "/")
		url = "/" + path
	}
	path, _, _ := strings.Cut(url, "?")
	return path
}

func under(pattern, path string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	for i, segment := range want {
		switch {
		case segment == "**" && i == len(want)-1:
			return len(got) > i
		case i >= len(got) || segment != got[i] && (segment != "*" || got[i] == ""):
			return false
		}
	}
	return len(got) == len(want)
}

func tokenOf(asked sidecarclient.Request) string {
	if asked.Token != "" {
		return asked.Token
	}
	scheme, token, _ := strings.Cut(asked.Headers.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "DPoP") {
		return ""
	}
	return strings.TrimSpace(token)
}
