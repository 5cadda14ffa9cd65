package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func TestJSONOfAServerHoldsItsAnswerAndNeverTheToken(t *testing.T) {
	s := issuerOfOrders(t)
	dir := t.TempDir()
	testkit.WriteFile(t, filepath.Join(dir, "secret"), "a-secret-of-orders")
	testkit.WriteFile(t, filepath.Join(dir, "policies", "p.rego"),
		"package authz\n\n# METADATA\n# entrypoint: true\ndefault decision := false\n")
	file := filepath.Join(dir, "sidecar.yaml")
	testkit.WriteFile(t, file, "issuers:\n  - issuer: "+s.Issuer()+
		"\n    client: {id: orders-api, secret: {file: secret}}\n    audience: [orders-api]\n    "+
		"allow_insecure_http: true\n")
	tok, err := s.Issue(devissuer.Grant{ClientID: "orders-api", Audience: []string{"orders-api"},
		Scopes: []string{"read"}})
	if err != nil {
		t.Fatal(err)
	}
	code, out, errs := sidecar(t, tok, "introspect", "--config", file, "--format", "json")
	var got struct {
		Answer   struct{ Active bool }
		Token    struct{ Scopes []string } `json:"input_token"`
		Findings []struct{ Level, Check, Says string }
		Faults   int
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitOK || errs != "" {
		t.Fatalf("exit %d, %v\n%s%s", code, err, out, errs)
	}
	if !got.Answer.Active || len(got.Token.Scopes) != 1 || got.Findings == nil || strings.Contains(out, tok) {
		t.Errorf("got %s", out)
	}
	s.Revoke(tok)
	code, out, _ = sidecar(t, tok, "introspect", "--config", file, "--format", "json")
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitFailed || got.Faults != 1 {
		t.Errorf("exit %d, %v\n%s", code, err, out)
	}
	code, out, _ = sidecar(t, "", "check", "--config", file, "--online", "--format", "json")
	if code != exitOK || !json.Valid([]byte(out)) || !strings.Contains(out, `"check": "credentials"`) {
		t.Errorf("exit %d\n%s", code, out)
	}
}

func TestADoubtAboutAServerIsCountedAndFailsWithStrict(t *testing.T) {
	s := issuerOfOrders(t)
	t.Chdir(t.TempDir())
	testkit.WriteFile(t, "secret", "a-secret-of-orders")
	testkit.WriteFile(t, "policies/p.rego",
		"package authz\n\n# METADATA\n# entrypoint: true\ndefault decision := false\n")
	testkit.WriteFile(t, "sidecar.yaml", "issuers:\n  - issuer: "+s.Issuer()+
		"\n    client: {id: orders-api, secret: {file: secret}}\n    audience: [another-api]\n    "+
		"allow_insecure_http: true\n")
	for _, c := range []struct {
		flags     string
		code      int
		out, errs string
	}{
		{"", exitOK, "no faults, 1 doubt\n", "sidecar: 1 note, 1 doubt: "},
		{"--strict", exitFailed, "no faults, 1 doubt\n", "a doubt, which fails with --strict: no faults, 1 doubt"},
		{"--format json", exitOK, `"doubts": 1`, ""},
		{"--format json --strict", exitFailed, `"level": "doubt"`, "the findings say what to do"},
		{"--format sarif --strict", exitFailed, `"ruleId": "issuer/canary"`, ""},
	} {
		args := append([]string{"check", "--online"}, strings.Fields(c.flags)...)
		code, out, errs := sidecar(t, "", args...)
		if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(errs, c.errs) {
			t.Errorf("%s: exit %d\n%s%s", c.flags, code, out, errs)
		}
		if strings.Contains(c.flags, "--format") && !json.Valid([]byte(out)) {
			t.Errorf("%s: no JSON: %s", c.flags, out)
		}
	}
}

func TestAnAnswerAsAValueIsJSONWithoutTheToken(t *testing.T) {
	const tok = "a-token/of+the.caller=="
	for body, want := range map[string]string{
		`{"active":true,"active":false}`: `"active": true`,
		`{"echo":"` + tok + `"}`:         `[redacted]`,
		"<p>" + tok + "\x1b":             `"<p>[redacted]?"`,
		"":                               `""`,
		`{"pad":"` + strings.Repeat("x", 2*shownBytes) + `"}`: `x"`,
	} {
		got := string(shownValue([]byte(body), secret.New(tok)))
		if !json.Valid([]byte(got)) || !strings.Contains(got, want) || strings.Contains(got, tok) {
			t.Errorf("%.40q became %.80q", body, got)
		}
	}
}
