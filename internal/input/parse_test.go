package input_test

import (
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func TestADocumentIsReadBackAsItWasWritten(t *testing.T) {
	for _, name := range []string{"testdata/full.json", "testdata/anonymous.json"} {
		want := strings.TrimSpace(testkit.ReadFile(t, name))
		doc, err := input.Parse([]byte(want))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := doc.AppendJSON(nil); err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v", name, got, err)
		}
	}
}

func TestADocumentThatThisVersionDoesNotKnowIsRefused(t *testing.T) {
	for _, doc := range []string{``, `[]`, `{}`, `{"version":2}`, `{"version":1,"tokne":{}}`,
		`{"version":1,"token":{"scpoes":[]}}`, `{"version":1,"version":1}`, `{"version":1} 2`} {
		if _, err := input.Parse([]byte(doc)); err == nil {
			t.Errorf("%s is read", doc)
		}
	}
}
