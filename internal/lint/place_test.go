package lint

import "testing"

// TestAFindingHasAPlace although the compiler makes up a term, as for the collection of some x in xs.
func TestAFindingHasAPlace(t *testing.T) {
	found := linted(t, "allow if {\n\tsome role in input.request.headers[\"x-role\"]\n\trole == \"admin\"\n}\n").Findings
	if len(found) == 0 {
		t.Fatal("nothing is found")
	}
	for _, f := range found {
		if f.Row == 0 || f.Col == 0 {
			t.Errorf("%s has no place", f)
		}
	}
}
