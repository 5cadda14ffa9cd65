package stage

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/engine/meaning"
	"github.com/authz-sidecar/sidecar/internal/gate"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// The classes of findings of the gate of capabilities.
const (
	ClassBuiltin = "builtin"
	ClassHost    = "host"
)

// httpSend is implied by a host that may be reached.
const httpSend = "http.send"

// capabilities is the gate of what entrypoints may reach: builtins that engine.allow_builtins switched on, and hosts.
// While it lists none, no policy that compiles has any.
func capabilities(cfg *config.Config, g gate.Capabilities) Stage {
	return Stage{Name: gate.CapabilitiesName, Mode: g.Mode,
		Judge: func(_ context.Context, current, next Policies) (Judgement, error) {
			if len(cfg.Engine.AllowBuiltins) == 0 {
				return Judgement{Message: "no builtin that reaches the network or the machine is switched on " +
					"(engine.allow_builtins)"}, nil
			}
			reached, err := reachOf(cfg, next)
			if err != nil {
				return Judgement{}, err
			}
			switch {
			case len(g.Allow) > 0:
				return judgeReach(reached, allowed(g.Allow), "policies.gate.capabilities.allow does not list it"), nil
			case current.Policy == nil:
				return Judgement{Message: "nothing serves yet to compare with, and policies.gate.capabilities.allow " +
					"is empty"}, nil
			}
			before, err := reachOf(cfg, current)
			if err != nil {
				return Judgement{}, err
			}
			return judgeReach(reached, before.has, "the policies that serve do not reach it"), nil
		}}
}

// reach is what entrypoints may reach, by name, with the first place of each.
type reach struct{ builtins, hosts map[string]meaning.Use }

func reachOf(cfg *config.Config, p Policies) (reach, error) {
	program, err := meaning.Of(p.Set, cfg.EngineConfig().Rego(), p.Policy.Entrypoints())
	if err != nil {
		return reach{}, err
	}
	out := reach{map[string]meaning.Use{}, map[string]meaning.Use{}}
	for _, path := range slices.Sorted(maps.Keys(program.Entrypoints)) {
		e := program.Entrypoints[path]
		for name, use := range e.Builtins {
			if slices.Contains(cfg.Engine.AllowBuiltins, name) {
				out.builtins[name] = use
			}
		}
		maps.Copy(out.hosts, e.Hosts)
	}
	return out, nil
}

func (r reach) has(name string) bool {
	_, builtin := r.builtins[name]
	_, host := r.hosts[name]
	return builtin || host
}

// judgeReach finds what of r is not permitted.
func judgeReach(r reach, permitted func(string) bool, why string) Judgement {
	var j Judgement
	report := func(class string, uses map[string]meaning.Use, describe func(string) string) {
		for _, name := range slices.Sorted(maps.Keys(uses)) {
			if permitted(name) {
				continue
			}
			f := status.GateFinding{Class: class, Message: describe(name) + ", and " + why}
			if places := uses[name].Places; len(places) > 0 {
				f.File, f.Row = places[0].File, places[0].Row
			}
			j.add(f)
		}
	}
	report(ClassBuiltin, r.builtins, func(name string) string { return "entrypoints may call " + name })
	report(ClassHost, r.hosts, func(name string) string {
		if name == meaning.Any {
			return "http.send may reach any host, since its URL is computed"
		}
		return fmt.Sprintf("http.send may reach %s", name)
	})
	j.Message = fmt.Sprintf("entrypoints may call %d builtins that reach the network or the machine, and %d hosts",
		len(r.builtins), len(r.hosts))
	return j
}

// allowed reports whether a list allows a builtin or a host, which may have a port.
func allowed(list []string) func(name string) bool {
	anyHost := slices.ContainsFunc(list, isHost)
	return func(name string) bool {
		if name == httpSend && anyHost {
			return true
		}
		return slices.ContainsFunc(list, func(item string) bool { return allows(item, name) })
	}
}

// isHost reports whether an item of the list is no builtin.
func isHost(item string) bool {
	return item != httpSend && item != "net.lookup_ip_addr" && item != "opa.runtime"
}

// allows reports whether an item allows a name: the same, the same host with any port, a host below *.example.com, or,
// for *, any host.
func allows(item, name string) bool {
	if item == name {
		return true
	}
	if !isHost(item) || !isHost(name) {
		return false
	}
	host, _, err := net.SplitHostPort(name)
	if err != nil {
		host = name
	}
	suffix, wild := strings.CutPrefix(item, "*")
	switch {
	case item == meaning.Any:
		return true
	case name == meaning.Any:
		return false
	case wild:
		return strings.HasPrefix(suffix, ".") && (strings.HasSuffix(host, suffix) || strings.HasSuffix(name, suffix))
	}
	return strings.EqualFold(item, host)
}
