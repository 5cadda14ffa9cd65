package decision

import (
	"fmt"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// Check reports every fault of c.
func (c Config) Check(fault func(key, cause, hint string)) {
	for i, r := range c.Routes {
		at := fmt.Sprintf("routes[%d]", i)
		sound := true
		r.check(func(key, cause, hint string) {
			sound = false
			fault(at+"."+key, cause, hint)
		})
		if sound {
			c.checkReach(i, fault)
		}
	}
}

// check reports every fault of r alone.
func (r Route) check(fault func(key, cause, hint string)) {
	if r.Mode == "" && r.MaxAge == "" {
		fault("max_age", "neither it nor mode is set: the route wants nothing", "set one of the two")
	}
	for i, m := range r.Methods {
		if !httpuri.IsToken(m) || m != strings.ToUpper(m) {
			fault(fmt.Sprintf("methods[%d]", i), fmt.Sprintf("%q is no method in upper case", m), "write GET or POST, for instance")
		}
	}
	for i, h := range r.Hosts {
		if _, ok := httpuri.ConfiguredHost(h); !ok {
			fault(fmt.Sprintf("hosts[%d]", i), fmt.Sprintf("%q is no host", h), "write a name or an address, without scheme, port and path")
		}
	}
	for i, p := range r.Paths {
		if cause, hint := faultOfPath(p); cause != "" {
			fault(fmt.Sprintf("paths[%d]", i), cause, hint)
		}
	}
	if _, _, err := r.age(); err != nil {
		fault("max_age", fmt.Sprintf("%q is not a duration from 0s to 24h", r.MaxAge), `write a number and a unit (ms, s, m, h), such as "5s"`)
	}
}

// checkReach reports what of route i no request can reach, since a route before it, or a path before it, takes everything.
func (c Config) checkReach(i int, fault func(key, cause, hint string)) {
	own := newRoute(c.Routes[i])
	for j := range own.paths {
		for k := range j {
			if own.paths[k].covers(&own.paths[j]) {
				fault(fmt.Sprintf("routes[%d].paths[%d]", i, j), fmt.Sprintf("is covered by paths[%d]", k), "remove it")
			}
		}
	}
	for e, earlier := range c.Routes[:i] {
		first := newRoute(earlier)
		if !holds(first.methods, own.methods) || !holds(first.hosts, own.hosts) {
			continue
		}
		if len(first.paths) == 0 {
			fault(fmt.Sprintf("routes[%d]", i), fmt.Sprintf("is never reached: routes[%d] takes all of its requests", e), "put the narrower route first, or remove one of the two")
			return
		}
		for j := range own.paths {
			if slices.ContainsFunc(first.paths, func(p pattern) bool { return p.covers(&own.paths[j]) }) {
				fault(fmt.Sprintf("routes[%d].paths[%d]", i, j), fmt.Sprintf("is never reached: routes[%d] takes all of its requests", e), "put the narrower route first, or remove one of the two")
			}
		}
	}
}

// holds reports whether every one of few is among many, where none are all.
func holds(many, few []string) bool {
	if len(many) == 0 {
		return true
	}
	return len(few) > 0 && !slices.ContainsFunc(few, func(s string) bool { return !slices.Contains(many, s) })
}
