package issuer

import (
	"crypto/rand"
	"net/http"
	"sync"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func flood(t *testing.T, i *Issuer, tokens, callers int) {
	t.Helper()
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range tokens / callers {
				if _, err := i.Introspect(t.Context(),
					introspect.Question{Token: secret.New(rand.Text())}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestAFloodOverSocketsLeavesTheGoodTokenCached(t *testing.T) {
	t.Parallel()
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body := `{"active":false}`
		if r.FormValue("token") == testToken {
			body = `{"active":true}`
		}
		testkit.ReplyJSON(body)(w, r)
	})
	i, l := open(t, u.URL, nil)
	ask(t, i)
	flood(t, i, 4000, 8)
	ask(t, i)
	if n := u.calls.Load(); n != 4001 {
		t.Errorf("%d calls", n)
	}
	if s := i.Stats(); s.Inactive.Entries != 100 || l.of(t, metricEvicted, "inactive capacity") != 3900 {
		t.Errorf("stats %+v", s)
	}
}
