package change

import (
	"strings"
	"testing"
)

// surprising adds http.send, reads a new claim, widens a route, removes what denies, and breaks a test.
var surprising = []edit{
	{"policies/authz/decision.rego", "\n\n\t# A bundle may freeze what it calls maintenance; without the bundle " +
		"nothing is " +
		"frozen.\n\tnot data.example.maintenance.frozen", ""},
	{"policies/authz/decision.rego", "# custom: {optional_data: [data.example.maintenance]}\n", ""},
	{"policies/authz/decision.rego", "\tusable\n\taudience", "\tusable\n\tnot suspicious\n\taudience"},
	{"policies/authz/decision.rego", "", `
suspicious if {
	endswith(input.token.claims.email, "@partner.example")
	answer := http.send({"method": "GET", "url": "https://risk.example/score", "raise_error": false})
	answer.body.score > 80
}
`},
	{"policies/routes/data.yaml", "id: create_order\n    scopes: [orders:write]",
		"id: create_order\n    scopes: [orders:read]"},
}

func TestReview_ASurprisingChangeIsOnTheFirstScreen(t *testing.T) {
	files := shipped(t)
	c := changed(t, files, edited(t, files, surprising...), Options{Depth: Full}, "http.send")
	var b strings.Builder
	if err := c.WriteText(&b, 100); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	first := strings.Join(lines[:24], "\n")
	for _, want := range []string{
		"WIDER     POST /orders (create_order): allowed now, was denied (insufficient_scope)",
		"REACHES   http.send is newly called, and reaches risk.example",
		"DENY GONE data.authz.decision no longer asks: not data.example.maintenance.frozen",
		"fail that passed before: authz_test/test_frozen",
		"READS     input.token.claims.email is newly read, by data.authz.suspicious",
	} {
		if !strings.Contains(first, want) {
			t.Errorf("the first screen lacks %q:\n%s", want, first)
		}
	}
	for _, f := range c.Refusing() {
		if f.Kind == KindWider && (len(f.Details) == 0 || !strings.HasPrefix(f.Details[0], "with ")) {
			t.Errorf("no witness for: %s", f.Title)
		}
	}
	if n := strings.Count(first, "\n            with "); n != len(c.titles(KindWider)) {
		t.Errorf("%d witnesses on the first screen for %q", n, c.titles(KindWider))
	}
	for _, line := range lines[:24] {
		if n := len([]rune(line)); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
