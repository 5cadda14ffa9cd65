package native

import (
	"regexp"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

func TestTheTokensThatAreDescribedAreThoseThatAreTaken(t *testing.T) {
	described := regexp.MustCompile(tokenPattern)
	texts := []string{"", "=", "==", "Bearer x", "a b"}
	for c := range rune(256) {
		texts = append(texts, string(c), "a"+string(c), "="+string(c)+"b")
	}
	for _, text := range texts {
		if got, want := described.MatchString(text), httpuri.IsCredential(strings.Trim(text, " \t\r\n")); got != want {
			t.Errorf("%q is described as %v, and is %v", text, got, want)
		}
	}
}
