// Package guarded has a Point that allows little, and a judge of its own that says which requests it may allow, so
// that a door can be fuzzed for bytes that turn a deny into an allow.
package guarded

import (
	"context"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// Host is the one host whose requests the Point allows.
const Host = "app.example.test"

// Point allows GET of Host with the one header x-tenant: acme, of every path but those below /admin. It reads what
// policies read.
type Point struct{ rules *input.Rules }

// NewPoint has the default rules of input.
func NewPoint() Point { return Point{input.NewRules(conf.Default[input.Config]())} }

// Decide implements the Points of the doors.
func (p Point) Decide(_ context.Context, q authz.Query) authz.Decision {
	asked, err := p.rules.Query(&q)
	if err != nil {
		return authz.Decision{Kind: authz.Malformed, Status: 400}
	}
	r := asked.Request
	if r.Method != "GET" || r.Host != Host || !slices.Equal(r.Headers["x-tenant"], []string{"acme"}) ||
		len(r.Segments) > 0 && r.Segments[0] == "admin" {
		return authz.Decision{Kind: authz.Deny, Status: 403}
	}
	return authz.Decision{ID: "d1", Kind: authz.Allow, Status: 200}
}

// Callable implements the Points of the doors.
func (Point) Callable(string) bool { return true }
