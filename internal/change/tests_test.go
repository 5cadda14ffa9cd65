package change

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

const testedPolicy = `package authz

# METADATA
# entrypoint: true
decision := {"allow": true} if {
	input.token.client_id == "a"
} else := {"allow": false}

other if input.token.age > 3
`

const regoTests = `package authz_test

import data.authz

test_a if authz.decision.allow with input as {"token": {"client_id": "a"}}

test_b if not authz.decision.allow with input as {"token": {"client_id": "b"}}

test_other if authz.other with input as {"token": {"age": 5}}
`

const suite = `suite: clients
now: 2026-11-20T12:00:00Z
tokens:
  a: {active: true, client_id: a}
  b: {active: true, client_id: b}
cases:
  - name: a may
    token: a
    request: {url: https://api.example/x}
    expect: {allow: true}
  - name: b may not
    token: b
    request: {url: https://api.example/x}
    expect: {allow: false}
`

// testedFiles are a policy with tests beside it.
func testedFiles(edits ...string) map[string]string {
	out := map[string]string{"policies/authz.rego": testedPolicy, "policies/authz_test.rego": regoTests,
		"policies/clients_suite.yaml": suite}
	for i := 0; i+2 < len(edits); i += 3 {
		out[edits[i]] = strings.Replace(out[edits[i]], edits[i+1], edits[i+2], 1)
	}
	return out
}

func named(tests []Test) (out []string) {
	for _, t := range tests {
		out = append(out, t.Group+"/"+t.Name)
	}
	return out
}

func TestTests_ThoseThatPassedAndFailAreBroken(t *testing.T) {
	c := changed(t, testedFiles(), testedFiles("policies/authz.rego", `client_id == "a"`, `client_id == "b"`),
		Options{Depth: Full})
	want := []string{"data.authz_test/test_a", "data.authz_test/test_b", "clients/a may", "clients/b may not"}
	if got := named(c.Tests.Broken); !slices.Equal(got, want) || c.Tests.New.Failed != 4 || c.Tests.Old.Passed != 5 {
		t.Errorf("broken: %q, of %+v", got, c.Tests.New)
	}
	if len(c.Refusing()) == 0 || c.Tests.Broken[0].Output == nil {
		t.Errorf("%s: %+v", c.Outcome, c.Findings)
	}
}

func TestTests_ThoseThatWereRewrittenWithTheirRuleAreToldAndRunAsTheyWere(t *testing.T) {
	c := changed(t, testedFiles(), testedFiles(
		"policies/authz.rego", `client_id == "a"`, `client_id in {"a", "b"}`,
		"policies/authz_test.rego", `test_b if not authz.decision.allow with input as {"token": {"client_id": "b"}}`,
		`test_b if authz.decision.allow with input as {"token": {"client_id": "b"}}`,
		"policies/clients_suite.yaml", "expect: {allow: false}", "expect: {allow: true}"), Options{Depth: Full})
	if c.Tests.New.Failed != 0 || c.Tests.OldOnNew.Failed != 2 {
		t.Errorf("new: %+v, old on new: %+v", c.Tests.New, c.Tests.OldOnNew)
	}
	want := []string{"data.authz_test/test_b", "clients/b may not"}
	if got := named(c.Tests.OldFailing); !slices.Equal(got, want) {
		t.Errorf("old tests that fail: %q", got)
	}
	if got := named(c.Tests.Rewritten); !slices.Equal(got, want) {
		t.Errorf("rewritten: %q", got)
	}
	if file := c.Tests.OldFailing[0].File; file != "old/policies/authz_test.rego" {
		t.Errorf("a copy is named: %s", file)
	}
}

func TestTests_OneThatChangesAloneIsNotToldAsRewritten(t *testing.T) {
	c := changed(t, testedFiles(), testedFiles("policies/authz_test.rego", `{"age": 5}`, `{"age": 6}`,
		"policies/authz.rego", `client_id == "a"`, `client_id in {"a"}`), Options{Depth: Full})
	if len(c.Tests.Rewritten) != 0 {
		t.Errorf("%+v", c.Tests.Rewritten)
	}
}

func TestTests_ThoseThatAreGoneAndACoverageThatFellAreTold(t *testing.T) {
	c := changed(t, testedFiles(), testedFiles("policies/authz_test.rego",
		`test_other if authz.other with input as {"token": {"age": 5}}`, ""), Options{Depth: Full})
	if got := named(c.Tests.Removed); !slices.Equal(got, []string{"data.authz_test/test_other"}) {
		t.Errorf("removed: %q", got)
	}
	if got := c.titles(KindTest); len(got) != 2 || !strings.HasPrefix(got[1], "the tests cover") {
		t.Errorf("%q", got)
	}
}

func TestTests_ACoverageBelowTheFloorRefusesTheChange(t *testing.T) {
	files := testedFiles("policies/authz_test.rego", `test_other if authz.other with input as {"token": {"age": 5}}`,
		"")
	if c := changed(t, files, files, Options{Depth: Full, MinCoverage: 99}); c.Outcome != Failing {
		t.Errorf("%s: %+v", c.Outcome, c.Findings)
	}
}

func TestTests_ThoseThatDoNotLoadRefuseTheChange(t *testing.T) {
	c := changed(t, testedFiles(), testedFiles("policies/clients_suite.yaml", "expect: {allow: false}", "expct: 1"),
		Options{Depth: Full})
	if got := c.titles(KindTest); c.Outcome != Failing || !slices.ContainsFunc(got, func(s string) bool {
		return strings.HasPrefix(s, "the tests of the new version do not load: new/policies/clients_suite.yaml:")
	}) {
		t.Errorf("%s: %q", c.Outcome, got)
	}
}

func TestUnloadable_TheProblemsAreTheReport(t *testing.T) {
	c := changed(t, testedFiles(), testedFiles("policies/authz.rego", "client_id", "clientid"), Options{Depth: Full})
	if c.Outcome != Unloadable || len(c.New.Problems) == 0 || c.Findings[0].Kind != KindProblem || c.Digest == "" {
		t.Errorf("%s: %+v", c.Outcome, c.Findings)
	}
}

func TestUnloadable_ABuiltinThatIsNotAllowedIsComparedAllTheSame(t *testing.T) {
	c := changed(t, testedFiles(), testedFiles("policies/authz.rego", "\tinput.token.client_id == \"a\"\n",
		"\tinput.token.client_id == \"a\"\n\thttp.send({\"method\": \"GET\", \"url\": "+
			"\"https://a.example/\"}).status_code == 200\n"),
		Options{})
	if got := c.titles(KindReach); c.Outcome != Unloadable || !slices.Equal(got,
		[]string{"http.send is newly called, and reaches a.example"}) {
		t.Errorf("%s: %q", c.Outcome, c.titles())
	}
}

func TestJSON_TheDigestIsThatOfTheContent(t *testing.T) {
	c := changed(t, testedFiles(), testedFiles("policies/authz.rego", `"a"`, `"<a>é"`), Options{})
	var b strings.Builder
	if err := c.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	read, err := Read([]byte(b.String()))
	if err != nil || read.Digest != c.Digest || read.New.Digest != c.New.Digest || read.Outcome != Differs {
		t.Errorf("%+v, %v", read, err)
	}
	var tree map[string]any
	if err := json.Unmarshal([]byte(b.String()), &tree); err != nil {
		t.Fatal(err)
	}
	packed, _ := json.Marshal(tree) // other format, other order
	if again, err := Read(packed); err != nil || again.Digest != c.Digest {
		t.Errorf("another format: %+v, %v", again, err)
	}
	for _, other := range []string{strings.Replace(b.String(), `"outcome": "differs"`, `"outcome": "same"`, 1),
		strings.Replace(b.String(), Format, "other/1", 1), "[]", "{}"} {
		if _, err := Read([]byte(other)); err == nil {
			t.Errorf("%.60s is read", other)
		}
	}
}

func TestText_WhatComesFromPoliciesIsMadeVisible(t *testing.T) {
	c := changed(t, testedFiles(), testedFiles("policies/authz.rego", `"a"`, "\"a\u202e\u009b31m\""), Options{})
	var b strings.Builder
	if err := c.WriteText(&b, 80); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\u202e\u009b\x1b") || !strings.Contains(b.String(), `\u202e\u009b31m`) {
		t.Errorf("%q", b.String())
	}
}

func TestAllow_AReviewedFindingRefusesNothing(t *testing.T) {
	now := testedFiles("policies/authz.rego", `client_id == "a"`, `client_id == "b"`)
	first := changed(t, testedFiles(), now, Options{Depth: Full})
	var ids []string
	for _, f := range first.Refusing() {
		ids = append(ids, f.ID)
	}
	again := changed(t, testedFiles(), now, Options{Depth: Full, Allowed: ids})
	if len(ids) == 0 || len(again.Refusing()) != 0 || again.Outcome != Differs {
		t.Errorf("%q leave %s: %+v", ids, again.Outcome, again.Refusing())
	}
}
