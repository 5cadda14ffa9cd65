package meaning

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// program is the meaning of one module of package authz, with data, whose entrypoint is authz/decision.
func program(t *testing.T, module, data string) *Program {
	t.Helper()
	top := t.TempDir() + "/policies"
	testkit.WriteFiles(t, top, map[string]string{"a.rego": "package authz\n\n" + module, "data.json": data})
	set, err := dir.Load(dir.Config{Paths: []string{top}})
	if err != nil {
		t.Fatal(err)
	}
	opts := rego.Options{AllowBuiltins: []string{"http.send", "net.lookup_ip_addr", "opa.runtime"}}
	p, err := Of(set, opts, []string{"authz/decision"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func entrypoint(t *testing.T, module string) *Entrypoint {
	t.Helper()
	return program(t, module,
		`{"hosts": {"risk": "https://risk.example/v1"}, "list": ["a"]}`).Entrypoints["authz/decision"]
}

func names(uses map[string]Use) string { return strings.Join(slices.Sorted(maps.Keys(uses)), " ") }

func TestInput_MembersAreFollowedThroughVariablesAndFunctions(t *testing.T) {
	for name, c := range map[string]struct{ module, want string }{
		"directly":         {`decision if input.token.claims.email == "a"`, "input.token.claims.email"},
		"that it is there": {`decision if input.token.claims.email`, "input.token.claims.email"},
		"by a variable":    {`decision if { c := input.token.claims; c.email == "a" }`, "input.token.claims.email"},
		"by two variables": {`decision if { t := input.token; c := t.claims; c.email == "a" }`,
			"input.token.claims.email"},
		"by unification": {`decision if { c = input.token.claims; c.email == "a" }`, "input.token.claims.email"},
		"by object.get": {`decision if object.get(input.token.claims, "email", "") == "a"`,
			"input.token.claims.email"},
		"by a path": {`decision if object.get(input, ["token", "claims", "email"], "") == "a"`,
			"input.token.claims.email"},
		"by a function": {"decision if ours(input.token.claims)\n\nours(c) if c.email == \"a\"",
			"input.token.claims.email"},
		"by two functions": {"decision if f(input.token)\n\nf(t) if g(t.claims)\n\ng(c) if c.email == \"a\"",
			"input.token.claims.email"},
		"of an element": {`decision if { some g in input.token.claims.groups; g.id == 1 }`,
			"input.token.claims.groups"},
		"in a comprehension": {`decision if count([x | x := input.token.claims.list[_]]) > 1`,
			"input.token.claims.list"},
		"in every": {`decision if every r in input.token.roles { r != "x" }`, "input.token.roles"},
		"in else": {"decision := true if input.token.stale else := false if input.token.age > 1",
			"input.token.age input.token.stale"},
		"in a head": {`decision := {"allow": false, "reasons": [input.token.client_id]}`,
			"input.token.client_id"},
		"under not":          {`decision if not input.token.claims.blocked`, "input.token.claims.blocked"},
		"as a key":           {`decision if data.list[input.token.claims.n] == "a"`, "input.token.claims.n"},
		"by a computed name": {`decision if { n := "e"; input.token.claims[n] == "a" }`, "input.token.claims"},
		"in a value of with": {"decision if f with data.list as input.token.roles\n\nf if data.list[0] == \"a\"",
			"input.token.roles"},
		"as a whole": {`decision if { c := input.token.claims; count(c) > 1 }`, "input.token.claims"},
		"in text": {
			"decision := {\"allow\": false, \"reasons\": [$\"{input.token.client_id} is refused\"]}",
			"input.token.client_id"},
		"by parameters that are a pattern": {"decision if f([input.token.claims.a, 1])\n\nf([x, _]) if x == 1",
			"input.token.claims.a"},
	} {
		if got := names(entrypoint(t, c.module).Input); got != c.want {
			t.Errorf("%s: reads %q, want %q", name, got, c.want)
		}
	}
}

func TestInput_APlaceIsTheRuleThatReads(t *testing.T) {
	e := entrypoint(t, "decision if ours(input.token.claims)\n\nours(c) if {\n\tc.email == \"a\"\n}\n")
	places := e.Input["input.token.claims.email"].Places
	if len(places) != 1 || places[0].Rule != "data.authz.ours" || places[0].Row != 6 {
		t.Errorf("places: %v", places)
	}
}

func TestInput_RulesThatNoEntrypointNeedsDoNotCount(t *testing.T) {
	e := entrypoint(t, "decision if input.token.active\n\nother if input.token.claims.email == \"a\"")
	if got := names(e.Input); got != "input.token.active" {
		t.Errorf("reads %q", got)
	}
}

func TestHosts_AreKnownAsFarAsTheURLIs(t *testing.T) {
	for url, want := range map[string]string{
		`"https://risk.example/score"`:                                       "risk.example",
		`"https://RISK.example:8443"`:                                        "risk.example:8443",
		`sprintf("https://risk.example/%s", [input.token.client_id])`:        "risk.example",
		`sprintf("https://%s.example/", [input.token.client_id])`:            "*",
		`sprintf("https://risk.example%s", [input.token.client_id])`:         "*",
		`concat("/", ["https://risk.example", input.token.client_id])`:       "*",
		`concat("/", ["https://risk.example", "v1", input.token.client_id])`: "risk.example",
		`data.hosts.risk`:                                 "risk.example",
		`input.token.claims.url`:                          "*",
		`$"https://risk.example/{input.token.client_id}"`: "risk.example",
		`endpoint`: "risk.example",
	} {
		module := "endpoint := \"https://risk.example/\"\n\ndecision if {\n\tanswer := http.send({\"method\": " +
			"\"GET\", \"url\": " +
			url + "})\n\tanswer.body.ok\n}\n"
		if got := names(entrypoint(t, module).Hosts); got != want {
			t.Errorf("%s: reaches %q, want %q", url, got, want)
		}
	}
}

func TestHosts_AreFollowedThroughArgumentsAndVariables(t *testing.T) {
	e := entrypoint(t, `decision if fetch("https://a.example/x").body.ok

fetch(url) := http.send(request) if request := {"method": "GET", "url": url}
`)
	if got := names(e.Hosts); got != "a.example" {
		t.Errorf("reaches %q", got)
	}
}

func TestHosts_ARedirectMayLeadAnywhere(t *testing.T) {
	e := entrypoint(t, `decision if {
	answer := http.send({"method": "GET", "url": "https://a.example/x", "enable_redirect": true})
	answer.body.ok
}`)
	if got := names(e.Hosts); got != "* a.example" {
		t.Errorf("reaches %q", got)
	}
}

func TestBuiltins_AreThoseThatAnEntrypointReaches(t *testing.T) {
	e := entrypoint(t, `decision if recent

recent if time.now_ns() > 5

mocked if recent with time.now_ns as 3

other if rand.intn("x", 3) == 1`)
	if got := names(e.Builtins); got != "time.now_ns" {
		t.Errorf("calls %q", got)
	}
	e = entrypoint(t, "decision if f with count as http.send\n\nf if count([1]) == 1")
	if got := names(e.Builtins); !strings.Contains(got, "http.send") || names(e.Hosts) != "*" {
		t.Errorf("calls %q and reaches %q, in place of another function", got, names(e.Hosts))
	}
}

func TestData_ReadersAreRulesThatMayReadAPath(t *testing.T) {
	p := program(t, `decision if {
	some name
	data.list[name] == input.token.client_id
	data.hosts.risk == "x"
}`, `{"hosts": {"risk": "a", "other": "b"}, "list": ["a"], "unread": 1}`)
	for path, want := range map[string]string{"list": "data.authz.decision", "list/0": "data.authz.decision",
		"hosts": "data.authz.decision", "hosts/risk": "data.authz.decision", "hosts/other": "", "unread": ""} {
		if got := strings.Join(p.Readers(strings.Split(path, "/")), " "); got != want {
			t.Errorf("%s is read by %q, want %q", path, got, want)
		}
	}
}

func TestBearing_SaysWhichRulesDeny(t *testing.T) {
	p := program(t, `decision := {"allow": true, "context": extra} if {
	allowed
	not banned
	count(violations) == 0
	refusals == set()
	every v in input.token.roles { fine(v) }
} else := {"allow": false, "reasons": reasons}

allowed if not misused

misused if not known

known if input.token.client_id == "a"

banned if input.token.client_id == "b"

violations contains 1 if input.token.client_id == "c"

fine(v) if v != "x"

refusals contains 1 if input.token.client_id == "d"

extra := {"a": beside}

beside := input.token.client_id

reasons contains "r" if banned
`, `{}`)
	for rule, want := range map[string]Bearing{
		"decision": Allows, "allowed": Allows, "known": Allows, "fine": Allows, "misused": Denies, "banned": Denies,
		"violations": Denies, "refusals": Denies, "extra": Aside, "beside": Aside, "reasons": Aside,
	} {
		if got := p.Bearing("data.authz." + rule); got != want {
			t.Errorf("%s: %s, want %s", rule, got, want)
		}
	}
}

func TestBearing_ADenialBeforeAnAllowingBranchDenies(t *testing.T) {
	p := program(t, "decision := false if banned else := true\n\nbanned if input.token.client_id == \"b\"", `{}`)
	if got := p.Bearing("data.authz.banned"); got != Denies {
		t.Errorf("banned: %s", got)
	}
}

// TestDefinitions_AnImportMayBeCalledAsARule, which it hides in all bodies.
func TestDefinitions_AnImportMayBeCalledAsARule(t *testing.T) {
	p := program(t, `import data.hosts.risk as decision

decision := decision if input.token.active

else := "none"
`, `{"hosts": {"risk": "https://risk.example/v1"}}`)
	for _, d := range p.Definitions {
		if d.Path == "data.authz.decision" {
			name, value := d.Parts[PartName], d.Parts[PartValue]
			if !strings.Contains(name, `"decision"`) || !strings.Contains(value, `"risk"`) {
				t.Errorf("%s is %s", name, value)
			}
			return
		}
	}
	t.Errorf("no definition of the rule: %+v", p.Definitions)
}
