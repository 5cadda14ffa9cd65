package extauthz_test

import (
	"context"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door/extauthz"
)

func TestAnAllowPasses(t *testing.T) {
	w := serve(t, listener(), extauthz.Deps{Point: says(allowed())})
	if out := w.check(t, get()); out.GetOkResponse() == nil {
		t.Errorf("got %v", out)
	}
}

func TestACheckThatIsTooLargeIsDeniedAndNoErrorOfGRPC(t *testing.T) {
	w := serve(t, listener(), extauthz.Deps{Point: says(allowed())})
	in := get()
	in.Attributes.Request.Http.Body = strings.Repeat("x", 2<<20)
	if out := w.check(t, in); out.GetDeniedResponse().GetStatus().GetCode() != 413 {
		t.Errorf("got %v", out)
	}
}

func TestAPanicIsADenial(t *testing.T) {
	w := serve(t, listener(), extauthz.Deps{Point: decide(func(context.Context, authz.Query) authz.Decision {
		panic("out of order")
	})})
	if out := w.check(t, get()); out.GetDeniedResponse().GetStatus().GetCode() != 500 {
		t.Errorf("got %v", out)
	}
}
