package main

import (
	"os"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/policies"
)

// TestWhyShowsWhatEvalPrints: docs/why.md explains an output line by line.
func TestWhyShowsWhatEvalPrints(t *testing.T) {
	doc, err := os.ReadFile("../../docs/why.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.CopyFS("policies", policies.Example()); err != nil {
		t.Fatal(err)
	}
	testkit.WriteFile(t, "token.json", `{"active": true, "scope": "orders:read", "aud": "orders-api", "sub": "alice",
		"client_id": "web", "tenant": "acme", "token_type": "Bearer"}`)
	code, out, errs := sidecar(t, "", "eval", "--method", "POST", "--url", "https://api.example/orders", "--header",
		"x-tenant=acme", "--introspection", "token.json", "--explain")
	if code != exitRefused || !strings.Contains(out, `"kind": "deny"`) {
		t.Fatalf("exit %d\n%s", code, out)
	}
	if !strings.Contains(string(doc), "```\n"+errs+"```\n") {
		t.Errorf("docs/why.md does not show\n%s", errs)
	}
}
