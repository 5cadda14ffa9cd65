package extauthz_test

import (
	"context"
	"sync/atomic"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door/extauthz"
)

// FuzzNoMessageTurnsADenyIntoAnAllow sends bytes to a door whose Point denies: each is answered, and by a denial.
func FuzzNoMessageTurnsADenyIntoAnAllow(f *testing.F) {
	raw := get()
	raw.Attributes.Request.Http.Headers = nil
	raw.Attributes.Request.Http.HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: "a",
		RawValue: []byte("\xff")}}}
	for _, m := range []*authv3.CheckRequest{get(), raw, {}} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("\x0a\x80"))
	var asked atomic.Bool
	w := serve(f, listener(), extauthz.Deps{Point: decide(func(context.Context, authz.Query) authz.Decision {
		asked.Store(true)
		return authz.Decision{Kind: authz.Deny, Status: 403}
	})})
	f.Fuzz(func(t *testing.T, message []byte) {
		asked.Store(false)
		out := w.send(t, message) // which fails unless the answer is sound
		if out.GetStatus().GetCode() == 0 {
			t.Fatalf("%x passes: %v", message, out)
		}
		if readable := proto.Unmarshal(message, new(authv3.CheckRequest)) == nil; asked.Load() && !readable {
			t.Fatalf("%x is asked about", message)
		}
	})
}
