package change

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/engine/meaning"
)

// used says which uses of an entrypoint are compared.
type used func(*meaning.Entrypoint) map[string]meaning.Use

func inputOf(e *meaning.Entrypoint) map[string]meaning.Use    { return e.Input }
func dataOf(e *meaning.Entrypoint) map[string]meaning.Use     { return e.Data }
func builtinsOf(e *meaning.Entrypoint) map[string]meaning.Use { return e.Builtins }
func hostsOf(e *meaning.Entrypoint) map[string]meaning.Use    { return e.Hosts }

// difference is a use that some entrypoints newly have, or no longer.
type difference struct {
	name        string
	how         How
	entrypoints []string
	use         meaning.Use
}

// differences are what the entrypoints of one version use and those of the other do not, by name; first what came.
func (x comparison) differences(of used, covered func(name string, use meaning.Use, by map[string]meaning.Use) bool,
) []difference {
	came := onlyIn(x.new, x.old, of, covered)
	gone := onlyIn(x.old, x.new, of, covered)
	var out []difference
	for _, found := range []struct {
		how How
		all map[string]*difference
	}{{Added, came}, {Removed, gone}} {
		for _, name := range slices.Sorted(maps.Keys(found.all)) {
			d := found.all[name]
			d.how = found.how
			out = append(out, *d)
		}
	}
	return out
}

func onlyIn(
	p, other program, of used, covered func(string, meaning.Use, map[string]meaning.Use) bool,
) map[string]*difference {
	out := map[string]*difference{}
	for _, path := range slices.Sorted(maps.Keys(p.Entrypoints)) {
		var by map[string]meaning.Use
		if e := other.Entrypoints[path]; e != nil {
			by = of(e)
		}
		own := of(p.Entrypoints[path])
		for name, use := range own {
			if covered(name, use, by) || shadowed(name, use, own, covered) {
				continue
			}
			if out[name] == nil {
				out[name] = &difference{name: name, use: use}
			}
			out[name].entrypoints = append(out[name].entrypoints, path)
		}
	}
	return out
}

// shadowed reports whether another use of the same entrypoint says more.
func shadowed(
	name string, use meaning.Use, own map[string]meaning.Use,
	covered func(string, meaning.Use, map[string]meaning.Use) bool,
) bool {
	others := maps.Clone(own)
	delete(others, name)
	return covered(name, use, others)
}

// byName is for uses that are covered by one of the same name.
func byName(name string, _ meaning.Use, by map[string]meaning.Use) bool {
	_, there := by[name]
	return there
}

// byPrefix is for paths, which are covered by a path above them too.
func byPrefix(name string, use meaning.Use, by map[string]meaning.Use) bool {
	if _, there := by[name]; there {
		return true
	}
	for _, other := range by {
		if len(other.Names) < len(use.Names) && slices.Equal(other.Names, use.Names[:len(other.Names)]) {
			return true
		}
	}
	return false
}

func (x comparison) members(of used) []Member {
	out := []Member{}
	for _, d := range x.differences(of, byPrefix) {
		out = append(out, Member{d.name, d.how, d.entrypoints, d.use.Places})
	}
	return out
}

func (x comparison) hosts() []Host {
	out := []Host{}
	for _, d := range x.differences(hostsOf, byName) {
		out = append(out, Host{d.name, d.how, d.entrypoints, d.use.Places})
	}
	return out
}

// builtins are ordered by class, those of the network first.
func (x comparison) builtins() []Builtin {
	out := []Builtin{}
	for _, d := range x.differences(builtinsOf, byName) {
		out = append(out, Builtin{d.name, classOf(d.name), d.how, d.entrypoints, d.use.Places})
	}
	rank := func(b Builtin) int { return slices.Index(classes[:], b.Class) }
	slices.SortStableFunc(out, func(a, b Builtin) int {
		return cmp.Or(strings.Compare(string(a.How), string(b.How)), cmp.Compare(rank(a), rank(b)))
	})
	return out
}

// classes are those of builtins, in the order of what they reach.
var classes = [...]string{"network", "machine", "clock", "random", "crypto", "token", "other"}

// classOf says what a builtin reaches.
func classOf(name string) string {
	switch name {
	case "http.send", "net.lookup_ip_addr":
		return "network"
	case "opa.runtime":
		return "machine"
	case "time.now_ns", "crypto.x509.parse_and_verify_certificates",
		"crypto.x509.parse_and_verify_certificates_with_options":
		return "clock"
	case "rand.intn", "uuid.rfc4122":
		return "random"
	}
	switch family, _, _ := strings.Cut(name, "."); family {
	case "crypto":
		return "crypto"
	case "io":
		return "token"
	}
	return "other"
}
