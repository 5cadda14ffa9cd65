package term_test

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

func TestDetachedIsEqualAndSharesNoText(t *testing.T) {
	long := strings.Repeat("0123456789", 100)
	from := uintptr(unsafe.Pointer(unsafe.StringData(long)))
	text := func(i int) *ast.Term { return ast.NewTerm(ast.String(long[i : i+10])) }
	v := ast.NewObject(
		ast.Item(text(0), ast.ArrayTerm(text(10), ast.NullTerm(), ast.BooleanTerm(true))),
		ast.Item(ast.NewTerm(ast.Number(long[1:4])), ast.NewTerm(ast.NewSet(text(20), ast.IntNumberTerm(1)))),
	)
	got := term.Detached(v)
	if v.Compare(got) != 0 {
		t.Errorf("%v, want %v", got, v)
	}
	ast.WalkTerms(got, func(x *ast.Term) bool {
		s := ""
		switch x := x.Value.(type) {
		case ast.String:
			s = string(x)
		case ast.Number:
			s = string(x)
		default:
			return false
		}
		if at := uintptr(unsafe.Pointer(unsafe.StringData(s))); at >= from && at < from+uintptr(len(long)) {
			t.Errorf("%q is a part of the long text", s)
		}
		return false
	})
}
