package main

import (
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

func TestWhatIsShownNeverHoldsTheToken(t *testing.T) {
	const tok = "a-token/of+the.caller=="
	for name, body := range map[string]string{
		"as it is":                 `{"active":true,"echo":"` + tok + `"}`,
		"with its slashes escaped": `{"active":true,"echo":"` + strings.ReplaceAll(tok, "/", `\/`) + `"}`,
		"in numbers":               `{"active":true,"echo":"` + strings.ReplaceAll(tok, "a", `\u0061`) + `"}`,
		"where the answer is cut": `{"active":true,"pad":"` + strings.Repeat("x",
			shownBytes-59) + `","echo":"` + tok + `"}`,
		"in a page":                 "<p>" + tok,
		"with what a terminal does": "\x1b]0;" + tok + "\x07\u009b31m",
	} {
		got := shown([]byte(body), secret.New(tok))
		if strings.Contains(got, tok) || strings.Contains(got, tok[:12]) || strings.Contains(got, tok[8:]) {
			t.Errorf("%s: %s", name, got)
		}
		if strings.ContainsAny(got, "\x1b\x07\u009b") {
			t.Errorf("%s: it speaks to the terminal: %q", name, got)
		}
		if len(got) > shownBytes+100 {
			t.Errorf("%s: %d bytes", name, len(got))
		}
	}
}
