package app

import (
	"flag"
	"net/http"
	"os"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

var writeDescription = flag.Bool("update", false, "write docs/openapi.json anew")

const describedIn = "../../docs/openapi.json"

func TestTheDescriptionInTheDocsIsTheOneThatIsServed(t *testing.T) {
	if *writeDescription {
		if err := os.WriteFile(describedIn, Description(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := testkit.ReadFile(t, describedIn)
	w := start(t, nil)
	for _, listener := range []string{w.api, w.admin} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, listener+"/openapi.json", nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, body := w.do(t, r); status != 200 || body != want {
			t.Errorf("%s answered %d, and another text than docs/openapi.json: write it anew with "+
				"go test ./internal/app -run Description -update", listener, status)
		}
	}
}

// TestEachOperationOfAMountHasAHandler: a call of one without a handler would panic.
func TestEachOperationOfAMountHasAHandler(t *testing.T) {
	for _, m := range start(t, nil).app.mounted {
		for _, o := range m.Operations {
			if m.Handlers[o.ID] == nil {
				t.Errorf("nothing serves %s %s", o.Method, o.Path)
			}
		}
		if len(m.Handlers) != len(m.Operations) {
			t.Errorf("there are %d handlers of %d operations", len(m.Handlers), len(m.Operations))
		}
	}
}
