package dialect

import (
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func TestAnAnswerIsReadWithinEightTimesItsSize(t *testing.T) {
	r := New(Config{Dialect: "rfc7662"}, "")
	body := []byte(`{"active":true,"token_type":"Bearer","sub":"alice","client_id":"web-shop","scope":"orders:read profile",` +
		`"aud":"orders-api","tenant":"acme","exp":4102444800,"sid":"s-1","pad":"` + strings.Repeat("x", 800) + `"}`)
	tok := secret.New("an-opaque-token-of-43-characters-0123456789")
	const reads = 100
	allocated := testkit.Allocated(func() {
		for range reads {
			if f, err := r.Read(body, tok, time.Unix(1_700_000_000, 0)); err != nil || !f.Claims.Active {
				t.Fatal(err)
			}
		}
	}) / reads
	t.Logf("%d bytes for an answer of %d", allocated, len(body))
	if allocated > uint64(8*len(body)) {
		t.Errorf("%d bytes for an answer of %d", allocated, len(body))
	}
}
