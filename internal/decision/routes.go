package decision

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/introspect"
)

// Route says what some requests want of the facts about their tokens. What is empty matches every request.
type Route struct {
	Methods []string        `yaml:"methods" doc:"Methods of the request. GET is HEAD too. Empty is any."`
	Hosts   []string        `yaml:"hosts" doc:"Hosts of the request. Empty is any."`
	Paths   []string        `yaml:"paths" doc:"Paths of the request, decoded: /orders/* has one segment more, /admin/** one or more. Empty is any."`
	Mode    introspect.Mode `yaml:"mode" enum:"introspect|jwt|jwt_then_introspect|introspect_opaque" doc:"How tokens are looked at here, in place of the mode of their issuer."`
	MaxAge  string          `yaml:"max_age" doc:"Greatest age of an answer from a cache, a duration: 0s asks anew each time. Empty leaves it to the issuer."`
}

// maxMaxAge bounds max_age: nothing is kept for longer.
const maxMaxAge = 24 * time.Hour

// age reads MaxAge. Without one nothing is limited.
func (r Route) age() (age time.Duration, limited bool, err error) {
	if r.MaxAge == "" {
		return 0, false, nil
	}
	age, err = time.ParseDuration(r.MaxAge)
	if err == nil && (age < 0 || age > maxMaxAge) {
		err = fmt.Errorf("is not from 0s to 24h")
	}
	return age, true, err
}

// routes are the Routes of a Config, prepared. The first that matches a request counts.
type routes []route

type route struct {
	methods, hosts []string
	paths          []pattern
	freshness      authz.Freshness
}

func newRoutes(cfg []Route) routes {
	var out routes
	for _, c := range cfg {
		out = append(out, newRoute(c))
	}
	return out
}

func newRoute(c Route) route {
	r := route{freshness: authz.Freshness{Mode: c.Mode}}
	// An age that is none did not pass Check: to ask anew is never wrong.
	r.freshness.MaxAge, r.freshness.Limited, _ = c.age()
	for _, m := range c.Methods {
		if r.methods = append(r.methods, m); m == "GET" {
			r.methods = append(r.methods, "HEAD")
		}
	}
	for _, h := range c.Hosts {
		host, _ := httpuri.ConfiguredHost(h) // one that is none did not pass Check, and is that of no request
		r.hosts = append(r.hosts, cmp.Or(host, h))
	}
	for _, p := range c.Paths {
		r.paths = append(r.paths, newPattern(p))
	}
	return r
}

// freshness is what the first matching route wants.
func (rs routes) freshness(req *input.Request) authz.Freshness {
	for i := range rs {
		if rs[i].matches(req) {
			return rs[i].freshness
		}
	}
	return authz.Freshness{}
}

func (r *route) matches(req *input.Request) bool {
	if len(r.methods) > 0 && !slices.Contains(r.methods, req.Method) || len(r.hosts) > 0 && !slices.Contains(r.hosts, req.Host) {
		return false
	}
	for _, p := range r.paths {
		if req.Path != "" && p.takes(req.Segments) {
			return true
		}
	}
	return len(r.paths) == 0
}

// freshness is what the configuration and the metadata of the entrypoint want together: the mode is the configuration's where
// both have one, the age the smaller.
func (p *Point) freshness(policy *engine.Policy, entrypoint string, req *input.Request) authz.Freshness {
	want, said := p.routes.freshness(req), policy.Freshness(entrypoint)
	if want.Mode == "" {
		want.Mode = said.Mode
	}
	if said.Limited && (!want.Limited || said.MaxAge < want.MaxAge) {
		want.MaxAge, want.Limited = said.MaxAge, true
	}
	return want
}
