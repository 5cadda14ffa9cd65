package dialect

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The table of docs/caching-and-revocation.md says for each dialect what ends a JWT.
func TestWhatEndsAJWTIsDocumentedForEachDialect(t *testing.T) {
	page, err := os.ReadFile("../../docs/caching-and-revocation.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "### What ends a JWT")
	section, _, _ = strings.Cut(section, "\n## ")
	documented := map[string]string{}
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		for _, name := range regexp.MustCompile("`[a-z0-9-]+`").FindAllString(cells[1], -1) {
			documented[strings.Trim(name, "`")] = strings.TrimSpace(cells[2])
		}
	}
	words := map[Ending]string{SignatureOnly: "the signature only", RevokedTokens: "revocations, not logouts",
		EndedSessions: "revocations and ended sessions"}
	for _, d := range rows() {
		want := words[d.ends]
		switch {
		case d.ask.Encoding == Unasked:
			want = "it cannot be asked"
		case d.name == "oidc-provider":
			want = "nothing: it calls no JWT active"
		}
		if got := documented[d.name]; got != want {
			t.Errorf("%s: documented as %q, want %q", d.name, got, want)
		}
	}
}
