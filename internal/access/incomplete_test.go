package access_test

import (
	"context"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/access"
	"github.com/authz-sidecar/sidecar/internal/authz"
)

func TestAnEvaluationThatIsNotDoneOpensNothing(t *testing.T) {
	t.Chdir("../..")
	a := analyst(t, shipped())
	ended, end := context.WithCancel(t.Context())
	end()
	r, err := a.Requires(ended, access.Query{Request: authz.Request{Method: "GET", URL: "/orders"}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Incomplete == "" || !r.NeedsToken || len(r.Alternatives) > 0 {
		t.Errorf("%+v", r)
	}
}
