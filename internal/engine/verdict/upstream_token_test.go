package verdict

import (
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

func TestAPolicyChoosesTheClaimsOfTheTokenForTheUpstream(t *testing.T) {
	v, err := Read(ast.MustParseTerm(`{"allow": true, "upstream_token": {"sub": "a", "n": {"exp": 1}}}`).Value)
	if err != nil || string(v.UpstreamToken) != `{"n":{"exp":1},"sub":"a"}` {
		t.Errorf("claims are %s, error is %v", v.UpstreamToken, err)
	}
	for _, c := range []string{`"alice"`, `[]`, `{"iss": "x"}`, `{"aud": []}`, `{"iat": 1}`, `{"nbf": 1}`,
		`{"exp": 1}`, `{"jti": null}`} {
		if _, err := Read(ast.MustParseTerm(`{"allow": true, "upstream_token": ` + c + `}`).Value); err == nil ||
			!strings.HasPrefix(err.Error(), "upstream_token: ") {
			t.Errorf("%s: error is %v", c, err)
		}
	}
}

func TestAReservedClaimIsRefusedByItsTypeAtLoad(t *testing.T) {
	claims := func(name string) types.Type {
		return types.NewObject([]*types.StaticProperty{types.NewStaticProperty("allow", types.B),
			types.NewStaticProperty("upstream_token", types.NewObject(
				[]*types.StaticProperty{types.NewStaticProperty(name, types.S)}, nil))}, nil)
	}
	if why := ResultShape().Refuses(claims("exp")); !strings.Contains(why, "the sidecar sets it") {
		t.Errorf("exp: %q", why)
	}
	if why := ResultShape().Refuses(claims("sub")); why != "" {
		t.Errorf("sub: %q", why)
	}
}
