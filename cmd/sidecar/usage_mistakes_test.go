package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func TestAWrongCallOfACommandIsToldHowToWriteIt(t *testing.T) {
	t.Chdir(t.TempDir())
	testkit.WriteFile(t, "one.jsonl", "no event\n")
	testkit.WriteFile(t, "sidecar.yaml", "issuers:\n  - issuer: https://login.acme.example\n    mode: jwt\n"+
		"    audience: [a]\npolicies: {paths: [.]}\n")
	for _, m := range []struct {
		title, args, in string
		code            int
		want            []string
	}{
		{"one dash", "check -config sidecar.yaml", "", exitUsage,
			[]string{"-config has one dash", "hint: write --config"}},
		{"one dash and a value", "eval -url=/a", "", exitUsage, []string{"-url has one dash", "hint: write --url"}},
		{"a file without its flag", "serve sidecar.yaml", "", exitUsage,
			[]string{"hint: write sidecar serve --config sidecar.yaml"}},
		{"a URL before its method", "requires /orders GET", "", exitUsage,
			[]string{`"/orders" is a URL`, "hint: the method comes first: sidecar requires GET /orders"}},
		{"a log of one line", "explain x --log one.jsonl", "", exitFailed, []string{"not in one.jsonl (1 line)"}},
		{"a token as an argument", "introspect hunter2", "", exitUsage,
			[]string{"hint: give the token on standard input"}},
		{"no token", "introspect", "", exitUsage, []string{"standard input is empty", "a variable that is not set"}},
		{"a line break for a token", "introspect", "\n", exitUsage, []string{"standard input is empty"}},
		{"a token in quotes", "introspect", `"hunter2"`, exitUsage, []string{"in quotation marks", "jq"}},
		{"two tokens", "introspect", "hunter2\nhunter2", exitUsage,
			[]string{"several lines", "one token on one line"}},
		{"the answer of a token endpoint", "introspect", `{"access_token":"hunter2"}`, exitUsage,
			[]string{"JSON, not a token", "jq -r .access_token"}},
		{"a scheme", "introspect", "Bearer hunter2", exitUsage, []string{"no well-formed token", `without "Bearer"`}},
	} {
		t.Run(m.title, func(t *testing.T) {
			var out bytes.Buffer
			code := run(t.Context(), strings.Fields(m.args), streams{in: strings.NewReader(m.in), out: &out,
				err: &out})
			if code != m.code || strings.Contains(out.String(), "hunter2") {
				t.Errorf("exit %d, want %d, and no secret: %s", code, m.code, out.String())
			}
			for _, want := range m.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is not in %s", want, out.String())
				}
			}
		})
	}
}
