package document

import (
	"runtime"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// convert has v convert claims, and returns the size that is estimated for their form.
func convert(t *testing.T, v *View, c *authz.Claims) int {
	t.Helper()
	d := input.Build(input.Query{}, c, input.Presented{Scheme: "bearer"}, began)
	if _, err := v.Value(d); err != nil {
		t.Fatal(err)
	}
	return v.forms.bytes
}

func TestTheMemoryOfConvertedTokensIsBounded(t *testing.T) {
	const tokens = 5000
	v := NewView(Usage{"": true})
	all := make([]*authz.Claims, tokens)
	for i := range all {
		all[i] = claimsOf(i)
	}
	before := testkit.Heap()
	for _, c := range all {
		if n := convert(t, v, c); n > maxFormBytes || len(v.forms.ring) > maxForms {
			t.Fatalf("%d forms of %d bytes", len(v.forms.ring), n)
		}
	}
	kept := testkit.Heap() - before
	t.Logf("%d forms, %d bytes by the estimate, %d bytes", len(v.forms.ring), v.forms.bytes, kept)
	if handles := int64(64 * tokens); kept > maxFormBytes*5/4+handles || kept < maxFormBytes/2 {
		t.Errorf("%d bytes are kept, the bound is %d", kept, maxFormBytes)
	}
	runtime.KeepAlive(all)
	runtime.KeepAlive(v)
}

func TestATokenThatGaveWayIsConvertedAnew(t *testing.T) {
	v := NewView(Usage{"": true})
	first := claimsOf(0)
	d := input.Build(input.Query{}, first, input.Presented{Scheme: "bearer"}, began)
	want, err := v.Value(d)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 * maxForms {
		convert(t, v, claimsOf(i+1))
	}
	testkit.Heap() // collects
	got, err := v.Value(d)
	if err != nil || got.Compare(want) != 0 {
		t.Errorf("got %s, want %s (%v)", got, want, err)
	}
}

func TestTokensInUseStay(t *testing.T) {
	v := NewView(Usage{"": true})
	used := claimsOf(0)
	convert(t, v, used)
	kept := v.forms.ring[0]
	for i := range 2 * maxForms {
		convert(t, v, claimsOf(i+1))
		convert(t, v, used)
	}
	found := false
	for _, f := range v.forms.ring {
		found = found || f == kept
	}
	if !found {
		t.Error("the token that is used most gave way")
	}
}

func TestATokenThatIsTooLargeTakesNoRoom(t *testing.T) {
	v := NewView(Usage{"": true})
	convert(t, v, claimsOf(0))
	before := v.forms.bytes
	large := claimsOf(1)
	large.Tenant = string(make([]byte, maxFormBytes/4))
	if got := convert(t, v, large); got != before {
		t.Errorf("%d bytes, %d before", got, before)
	}
}

// BenchmarkConvertAnew is what a request costs whose token gave way, beside BenchmarkDocument.
func BenchmarkConvertAnew(b *testing.B) {
	v := NewView(Usage{"": true})
	b.ReportAllocs()
	all := make([]*authz.Claims, 3*maxForms)
	for i := range all {
		all[i] = claimsOf(i)
	}
	n := 0
	for b.Loop() {
		n = (n + 1) % len(all)
		all[n].Slot = new(authz.Slot)
		if _, err := v.Value(input.Build(input.Query{}, all[n], input.Presented{Scheme: "bearer"},
			began)); err != nil {
			b.Fatal(err)
		}
	}
}
