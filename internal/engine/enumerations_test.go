package engine

import (
	"strings"
	"testing"
)

func TestAMemberComparedWithAnImpossibleValueIsAProblem(t *testing.T) {
	for _, c := range []struct{ rego, want string }{
		{`x if input.token.kind != "acess"`,
			`input.token.kind is never "acess": it is one of access, refresh, id, unknown; did you mean "access"?`},
		{`x if input.token.subject.type == "User"`, `did you mean "user"?`},
		{`x if "person" == input.token.subject.type`,
			`input.token.subject.type is never "person": it is one of user, client, unknown`},
		{`x if not input.token.binding.method == "tls"`, `did you mean "mtls"?`},
		{`x if input.token.source in {"jwks", "JWT"}`, `input.token.source is never "`},
		{`x if input.request.method == "get"`, `input.request.method is never "get": write "GET"`},
		{`x if not input.request.method in ["get", "head"]`, `input.request.method is never "`},
		{"x if {\n\tm := input.request.method\n\tm == \"Post\"\n}", `write "POST"`},
		{"x if {\n\tsome m in {\"put\", \"delete\"}\n\tinput.request.method == m\n}",
			`input.request.method is never "`},
		{"import input.request as r\n\nx if r.host == \"API.example\"", `write "api.example"`},
		{"f(m) if m == \"get\"\n\nx if f(input.request.method)", `write "GET"`},
	} {
		rego, want := c.rego, c.want
		_, err := compiled(t, patient, set(rego+"\n"))
		if err == nil || !strings.HasPrefix(err.Error(), "policies/p.rego:") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", rego, err)
		}
	}
	for _, rego := range []string{
		`x if input.token.kind == "access"`,
		`x if input.request.method in ["GET", "get"]`,
		`x if input.request.method == "PROPFIND"`,
		`x if lower(input.request.method) == "get"`,
		`x if input.context.kind == "acess"`,
		`x if input.request.path == "/Orders"`,
		"x if {\n\tsome m in [\"GET\", \"head\"]\n\tinput.request.method == m\n}",
	} {
		if _, err := compiled(t, patient, set(rego+"\n")); err != nil {
			t.Errorf("%s: %v", rego, err)
		}
	}
}
