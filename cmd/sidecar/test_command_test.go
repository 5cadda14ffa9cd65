package main

import (
	"context"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const readers = `package authz

# METADATA
# entrypoint: true
default decision := false

decision if "read" in input.token.scopes
`

const readersSuite = `suite: readers
now: 2026-11-20T12:00:00Z
tokens: {reader: {active: true, scope: read, sub: rita}}
matrix:
  reads: {request: {url: /a}, expect: {reader: allow}}
`

func TestTestWatchesPoliciesTestsAndSuites(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	testkit.WriteFiles(t, folder, map[string]string{
		"policies/authz.rego": readers, "policy_test/readers_suite.yaml": readersSuite,
	})
	ctx, cancel := context.WithCancel(t.Context())
	out, errs, exit := &testkit.LogBuffer{}, &testkit.LogBuffer{}, make(chan int, 1)
	go func() {
		exit <- run(ctx, []string{"test", "--watch"}, streams{in: strings.NewReader(""), out: out, err: errs})
	}()
	runs := 0
	next := func(change string, write func(), line string) {
		t.Helper()
		write()
		testkit.Eventually(t, "after "+change+" there is "+line, func() bool {
			return errs.Count("watching policies, policy_test; interrupt to end") > runs &&
				strings.Contains(out.String()+errs.String(), line)
		})
		runs = errs.Count("watching policies, policy_test; interrupt to end")
	}
	write := func(name, text string) func() {
		return func() { testkit.WriteFiles(t, folder, map[string]string{name: text}) }
	}
	next("the start", func() {}, "1 test: 1 passed, 0 failed")
	next("a change of the suite", write("policy_test/readers_suite.yaml",
		strings.Replace(readersSuite, "reader: allow", "reader: deny, none: 401", 1)), "2 tests: 1 passed, 1 failed")
	next("a new test", write("policies/authz_test.rego",
		"package authz_test\n\ntest_it if data.authz.decision with input.token.scopes as [\"read\"]\n"),
		"3 tests: 2 passed, 1 failed")
	next("a change of the policy", write("policies/authz.rego", strings.Replace(readers, "read", "write", 1)),
		"3 tests: 2 passed, 1 failed, 0 skipped")
	next("a policy that does not load", write("policies/authz.rego", strings.Replace(readers, "if", "fi", 1)),
		"policies/authz.rego:7:")
	next("a configuration", write("sidecar.yaml", "issuers: [{issuer: 'https://id.example', client: {id: a, auth: "+
		"none}}]\n"+
		"decision: {entrypoint: shop/decision}\npolicies: {paths: [policies]}\n"), "data.shop.decision")
	write("sidecar.yaml", "issuers: [{issuer: 'https://id.example', client: {id: a, auth: none}}]\n"+
		"decision: {entrypoint: 5}\n")()
	testkit.Eventually(t, "a fault of the configuration is told", func() bool {
		return strings.Contains(errs.String(), "sidecar.yaml:2:12: decision.entrypoint: is a number")
	})
	runs = errs.Count("watching policies, policy_test; interrupt to end")
	write("policies/authz.rego", readers)()
	next("its correction", write("sidecar.yaml", "issuers: [{issuer: 'https://id.example', client: {id: a, auth: "+
		"none}}]\n"+
		"policies: {paths: [policies]}\n"), "3 tests: 2 passed, 1 failed")
	cancel()
	if code := <-exit; code != exitOK {
		t.Errorf("the watch ended with %d: %s", code, errs)
	}
}
