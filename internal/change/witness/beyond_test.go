package witness_test

import (
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/change/witness"
)

// readers are conditions on requests that policies read by themselves, with an edit of each and the classes of it.
var readers = []struct{ condition, from, to, class string }{
	{`count(input.request.segments) < 5`, "< 5", "< 7", "wider"},
	{`count(input.request.segments) < 5`, "< 5", "< 4", "narrower"},
	{`not input.request.segments[2] == "admin"`, `[2]`, `[3]`, "wider narrower"},
	{`not input.request.segments[2] == "admin"`, `"admin"`, `"Admin"`, "wider narrower"},
	{`regex.match("^/v[0-9]+/orders/[a-z]{2,4}$", input.request.path)`, "{2,4}", "{2,5}", "wider"},
	{`regex.match("^/v[0-9]+/orders/[a-z]{2,4}$", input.request.path)`, "^/v", "/v", "wider"},
	{`glob.match("/files/*/raw", ["/"], input.request.path)`, "/*/", "/**/", "wider"},
	{`input.request.path == sprintf("/users/%s/own", [input.token.subject.id])`, "/own", "/all", "wider narrower"},
	{`{"get": "a", "purge": "x"}[lower(input.request.method)] in input.token.scopes`, `"x"}`, `"x", "link": "a"}`,
		"wider"},
	{`split(trim_prefix(input.request.path, "/api/"), "/")[0] in {"docs"}`, `"docs"`, `"docs", "keys"`, "wider"},
	{`every s in input.request.segments { s in {"a", "b"} }`, `"b"`, `"b", "c"`, "wider"},
}

func TestChangesOfWhatPoliciesReadOfPathsAreFoundWhereNoShapeIsNamed(t *testing.T) {
	for _, r := range readers {
		old := written(t, policy("decision if {\n\t\"a\" in input.token.scopes\n\t"+r.condition+"\n}"))
		new := written(t, policy("decision if {\n\t\"a\" in input.token.scopes\n\t"+
			strings.Replace(r.condition, r.from, r.to, 1)+"\n}"))
		f := compared(t, old, new)
		found := classes(f)
		if found[witness.Wider] != strings.Contains(r.class, "wider") ||
			found[witness.Narrower] != strings.Contains(r.class, "narrower") {
			t.Errorf("%s, %s for %s: found %v, want %s: %+v", r.condition, r.to, r.from, found, r.class, f.Entrypoints)
		}
	}
}

func TestRequestsBeyondTheShapesAreOpenWithoutAProof(t *testing.T) {
	const pattern = `decision if regex.match("^/v[0-9]+/orders/[a-z]{2,4}`
	f := compared(t, written(t, policy(pattern+`$", input.request.path)`)),
		written(t, policy(pattern+`(?:$|-[b-y][g-k]$)", input.request.path)`)))
	if e := f.Entrypoints[0]; f.Result == witness.Same || e.Proved == e.Shapes {
		t.Errorf("%s: %+v", f.Result, e)
	}
}

func TestWhatMayBeWiderIsOpenBesideAWitnessOfTheOtherClass(t *testing.T) {
	const hash = `crypto.sha256(input.token.id) == "18ac3e7343f016890c510e93f935261169d9e3f565436429830faf0934f4f8e4"`
	f := compared(t, written(t, policy(`decision if "a" in input.token.scopes`)),
		written(t, policy("decision if "+hash)))
	if e := f.Entrypoints[0]; f.Result != witness.Narrower || e.Open != e.Shapes {
		t.Errorf("%s: %+v", f.Result, e)
	}
}
