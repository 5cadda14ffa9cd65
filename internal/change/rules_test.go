package change

import (
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/engine/meaning"
)

const before = `package authz

import data.roles

# METADATA
# entrypoint: true
decision := {"allow": true} if {
	allowed
	not banned
} else := {"allow": false}

allowed if {
	"reader" in input.token.roles
	roles.known
}

allowed if input.token.client_id == "a"

# Who was banned.
banned if input.token.claims.banned

banned if input.token.kind == "id"
`

const library = "package roles\n\nknown if input.token.active\n"

// compared is the static comparison of two texts of one module.
func compared(t *testing.T, old, now string) *Change {
	t.Helper()
	return changed(t, map[string]string{"policies/authz.rego": old, "policies/roles.rego": library},
		map[string]string{"policies/authz.rego": now, "policies/roles.rego": library}, Options{})
}

// lines are the rules of a change, each with what became of it.
func lines(rules []Rule) (out []string) {
	for _, r := range rules {
		line := strings.TrimPrefix(r.Path, "data.") + " " + string(r.How)
		if len(r.Parts) > 0 {
			line += " " + strings.Join(r.Parts, "+")
		}
		for _, c := range r.Dropped {
			line += " -" + c
		}
		for _, c := range r.Gained {
			line += " +" + c
		}
		out = append(out, line)
	}
	return out
}

func TestRules_WhatDiffersInMeaningIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		old, new string
		want     []string
	}{
		"a condition dropped": {"\t\"reader\" in input.token.roles\n", "",
			[]string{`authz.allowed changed conditions -"reader" in input.token.roles`}},
		"a condition gained": {"\tnot banned\n", "\tnot banned\n\tinput.token.age < 5\n",
			[]string{"authz.decision changed conditions +input.token.age < 5"}},
		"an operator flipped": {`client_id == "a"`, `client_id != "a"`,
			[]string{`authz.allowed removed -input.token.client_id == "a"`,
				`authz.allowed added +input.token.client_id != "a"`}},
		"a definition removed": {"banned if input.token.kind == \"id\"\n", "",
			[]string{`authz.banned removed -input.token.kind == "id"`}},
		"an else branch": {`{"allow": false}`, `{"allow": false, "status": 404}`,
			[]string{"authz.decision changed else"}},
		"a value": {`decision := {"allow": true}`, `decision := {"allow": true, "context": {}}`,
			[]string{"authz.decision changed value"}},
		"a default added": {"allowed if {", "default allowed := false\n\nallowed if {",
			[]string{"authz.allowed added"}},
		"metadata with a meaning": {"# entrypoint: true\n", "# entrypoint: true\n# custom: {token: {max_age: 0s}}\n",
			[]string{"authz.decision changed metadata"}},
		"another import of the same name": {"import data.roles\n", "import data.other as roles\n",
			[]string{"authz.allowed changed conditions -roles.known +roles.known"}},
		"an import that changes what not means": {"import data.roles\n",
			"import data.roles\nimport future.keywords.not\n",
			[]string{"authz.allowed changed conditions", "authz.allowed changed conditions",
				"authz.banned changed conditions",
				"authz.banned changed conditions", "authz.decision changed conditions -not banned +not banned"}},
	} {
		now := strings.Replace(before, c.old, c.new, 1)
		if now == before {
			t.Fatalf("%s: nothing was replaced", name)
		}
		if strings.Contains(now, "data.other") {
			now += "\nother_is_read if data.other.known\n"
			c.want = append(c.want, "authz.other_is_read added +data.other.known")
		}
		files := map[string]string{"policies/authz.rego": now, "policies/roles.rego": library,
			"policies/other.rego": "package other\n\nknown := true\n"}
		old := map[string]string{"policies/authz.rego": before, "policies/roles.rego": library,
			"policies/other.rego": files["policies/other.rego"]}
		if got := lines(changed(t, old, files, Options{}).Rules); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got  %q\n want %q", name, got, c.want)
		}
	}
}

func TestRules_FormatCommentsAndOrderAreNoChange(t *testing.T) {
	for name, c := range map[string]struct {
		old, new string
		want     []string
	}{
		"format": {"\tallowed\n\tnot banned\n", "\t  allowed;  not banned\n",
			[]string{"authz.decision restyled"}},
		"a comment in a rule": {"\troles.known\n", "\troles.known # as they are called\n",
			[]string{"authz.allowed restyled"}},
		"a comment above": {"# Who was banned.\n", "# Those that were banned.\n", nil},
		"the order in a body": {"\tallowed\n\tnot banned\n", "\tnot banned\n\tallowed\n",
			[]string{"authz.decision restyled"}},
		"another way to assign": {"decision := {\"allow\": true} if", "decision = {\"allow\": true} if",
			[]string{"authz.decision restyled"}},
		"the name of an import": {"import data.roles\n", "import data.roles as named\n",
			[]string{"authz.allowed restyled"}},
		"prose of metadata": {"# entrypoint: true\n", "# title: A decision\n# entrypoint: true\n",
			[]string{"authz.decision restyled"}},
	} {
		now := strings.Replace(before, c.old, c.new, 1)
		if strings.Contains(now, "as named") {
			now = strings.Replace(now, "\troles.known", "\tnamed.known", 1)
		}
		got := compared(t, before, now)
		if !slices.Equal(lines(got.Rules), c.want) || got.Outcome != Same {
			t.Errorf("%s: %q, outcome %s, want %q", name, lines(got.Rules), got.Outcome, c.want)
		}
	}
}

func TestRules_ARuleInAnotherFileHasMoved(t *testing.T) {
	moved := "banned if input.token.kind == \"id\"\n"
	c := changed(t, map[string]string{"policies/authz.rego": before, "policies/roles.rego": library},
		map[string]string{"policies/authz.rego": strings.Replace(before, moved, "", 1), "policies/roles.rego": library,
			"policies/more.rego": "package authz\n\n" + moved}, Options{})
	if got := lines(c.Rules); !slices.Equal(got, []string{"authz.banned moved"}) || c.Outcome != Same {
		t.Errorf("%q, outcome %s", got, c.Outcome)
	}
}

func TestFindings_WhatDeniedAndIsGoneStandsBeforeOtherRules(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"a definition": {"banned if input.token.kind == \"id\"\n", "",
			"a definition of data.authz.banned, which denies, is gone"},
		"a narrower denial": {"claims.banned\n", "claims.banned\n\nbanned if { input.token.stale; input.token.age " +
			"> 3 }\n", ""},
		"a negated condition": {"\tnot banned\n", "", "data.authz.decision no longer asks: not banned"},
		"a condition": {"\t\"reader\" in input.token.roles\n", "",
			`data.authz.allowed no longer asks: "reader" in input.token.roles`},
		"a denial asks more": {"banned if input.token.kind == \"id\"\n",
			"banned if { input.token.kind == \"id\"; input.token.age > 3 }\n",
			"data.authz.banned denies less: it now asks for more"},
	} {
		got := compared(t, before, strings.Replace(before, c.old, c.new, 1)).titles(KindDeny)
		if want := []string{c.want}; c.want == "" && got != nil || c.want != "" && !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestFindings_OneMoreWayToBeAllowedIsNotable(t *testing.T) {
	c := compared(t, before, before+"\nallowed if input.token.client_id == \"b\"\n")
	i := slices.IndexFunc(c.Findings, func(f Finding) bool { return f.Kind == KindRule })
	if i < 0 || c.Findings[i].Level != Notable || !strings.Contains(c.Findings[i].Title,
		"by which more may be allowed") {
		t.Errorf("%+v", c.Findings)
	}
	if r := c.Rules[0]; r.Bears != meaning.Allows || r.Entrypoints[0] != "authz/decision" {
		t.Errorf("%+v", r)
	}
}

func TestFindings_AnIdentifierIsThatOfTheChangeAndNotOfThePlace(t *testing.T) {
	first := compared(t, before, strings.Replace(before, "\tnot banned\n", "", 1))
	again := changed(t, map[string]string{"policies/x/authz.rego": "# a comment\n" + before,
		"policies/roles.rego": library},
		map[string]string{"policies/x/authz.rego": "# a comment\n" + strings.Replace(before, "\tnot banned\n", "", 1),
			"policies/roles.rego": library}, Options{})
	if first.Findings[0].ID != again.Findings[0].ID {
		t.Errorf("%s and %s", first.Findings[0].ID, again.Findings[0].ID)
	}
}
