package engine

import (
	"strings"
	"testing"
)

const withLibrary = `package authz

import data.sidecar.routes
import data.sidecar.scopes

default decision := false

decision if {
	routes.exists
	scopes.granted(["read"])
}
`

func TestAPolicyUsesTheLibraryOfTheBinary(t *testing.T) {
	p, err := compiled(t, patient, map[string]string{"policies/authz.rego": withLibrary,
		"policies/routes/data.yaml": "/a:\n  GET: {id: a, anonymous: true}\n"})
	if err != nil {
		t.Fatal(err)
	}
	if rev, digest, _ := strings.Cut(p.Revision(), ","); rev != "sidecar-library=1.2.4" ||
		!strings.HasPrefix(p.Digest(), "sha256:"+digest) {
		t.Errorf("the revision is %q", p.Revision())
	}
}

func TestABundleThatOwnsEverythingUsesTheLibraryToo(t *testing.T) {
	_, err := compiled(t, patient, map[string]string{"all/.manifest": "{}", "all/authz.rego": withLibrary,
		"policies/empty.rego": "# nothing\npackage policies\n"})
	if err == nil || strings.Contains(err.Error(), "sidecar") {
		t.Error(err)
	}
}

func TestAModuleBesideTheLibraryReplacesNoPartOfIt(t *testing.T) {
	refused(t, patient, map[string]string{"policies/authz.rego": withLibrary,
		"policies/evil.rego": "package sidecar.scopes\n\ngranted(_) := true\n"},
		"policies/authz.rego:9:2: reference_error: undefined ref: data.sidecar.routes.exists: no rule and no data "+
			"provide data.sidecar.routes (data.sidecar has: scopes); if it comes with an optional bundle, say so by "+
			"custom.optional_data in the metadata"+ownLibraryHint)
}

func TestTheLibraryJudgesTheRoutesOfThoseWhoUseIt(t *testing.T) {
	const wrong = "/a:\n  get: {id: a, anonymous: true}\n"
	refusedWith(t, patient, map[string]string{"policies/authz.rego": withLibrary, "policies/routes/data.yaml": wrong},
		"policies/routes/data.yaml:2:3: policy_error: /a get: neither a method")
	if _, err := compiled(t, patient, map[string]string{
		"policies/authz.rego": "package authz\n\ndefault decision := false\n\ndecision if " +
			"data.routes[\"/a\"].get\n",
		"policies/routes/data.yaml": wrong}); err != nil {
		t.Error(err)
	}
}

func TestPoliciesThatAskForARouteWhereThereAreNoneAreAWarning(t *testing.T) {
	const outside = "policies/authz.rego:9:2: no-routes: the policies ask for the route of a request, and there are " +
		"no routes"
	for name, c := range map[string]struct{ file, text, want string }{
		"nothing":      {"policies/x.rego", "package x\n", outside},
		"an empty map": {"policies/routes/data.yaml", "{}\n", outside},
		"other data":   {"policies/others/data.yaml", "a: 1\n", outside},
		"routes":       {"policies/routes/data.yaml", "/a:\n  GET: {id: a, anonymous: true}\n", ""},
		"a rule": {"policies/x.rego", "package routes[\"/a\"]\n\nGET := {\"id\": \"a\", \"anonymous\": true}\n",
			""},
	} {
		p, err := compiled(t, patient, map[string]string{"policies/authz.rego": withLibrary, c.file: c.text})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		found := ""
		for _, w := range p.Warnings() {
			if w.Code == "no-routes" {
				found += w.String()
			}
		}
		if !strings.HasPrefix(found, c.want) || (found == "") != (c.want == "") {
			t.Errorf("%s: warnings %q, want %q", name, found, c.want)
		}
	}
}

func TestTheLibraryLeavesAloneDataThatItIsNotUsedFor(t *testing.T) {
	const policy = "package authz\n\nimport data.sidecar.scopes\n\ndefault decision := false\n\n" +
		"decision if scopes.granted(data.routes[input.request.path])\n"
	const routes = `{"/a": ["read"]}`
	if _, err := compiled(t, patient, map[string]string{
		"policies/authz.rego": policy, "policies/routes/data.json": routes}); err != nil {
		t.Error(err)
	}
	refusedWith(t, patient, map[string]string{
		"policies/authz.rego":       policy + "\ndecision if data.sidecar[input.request.method].exists\n",
		"policies/routes/data.json": routes}, "policy_error")
}

func TestALibraryThatOnlyAVariableNamesIsMissed(t *testing.T) {
	refusedWith(t, patient, map[string]string{"policies/authz.rego": "package authz\n\ndefault decision := false\n\n" +
		"decision if {\n\tsome name in [\"sidecar\"]\n\tnot data[name].routes.exists\n}\n"}, unnamedLibraryHint)
}
