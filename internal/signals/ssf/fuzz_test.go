package ssf

import (
	"slices"
	"time"

	"encoding/json"
	"net/http"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/signals"
	"github.com/authz-sidecar/sidecar/internal/testkit/jwks"
	"github.com/authz-sidecar/sidecar/internal/testkit/transmitter"
)

// FuzzClaimsOfTheTransmitter signs any claims. The property: a token that evicts is of the transmitter and for this
// stream, and each revocation names something, and is not of the future.
func FuzzClaimsOfTheTransmitter(f *testing.F) {
	const now = 1_800_000_000
	signer := transmitter.Signer(f, "RS256")
	rec := transmitter.Recording{Issuer: "https://as.example"}
	rec.JWKS = json.RawMessage(jwks.Document(string(signer.Public())))
	rec.SSF = json.RawMessage(`{"issuer":"https://as.example","jwks_uri":"https://as.example/jwks"}`)
	const event = `{"iss":"https://as.example","aud":["rs-ssf/stream-1"],"iat":1.8e9,"jti":"1","events":{"` +
		sessionRevoked + `":`
	f.Add([]byte(event + `{}},"sub_id":{"format":"iss_sub","iss":"https://as.example","sub":"alice"}}`))
	f.Add(
		[]byte(event +
			`{"event_timestamp":1e15}},"sub_id":{"format":"complex","user":{"format":"aliases","identifiers":` +
			`[{"format":"email","email":"a@b"}]},"session":{"format":"opaque","id":"ALL"}}}`))
	f.Add([]byte(`{}`))
	s, l := replay(f, rec, now, nil)
	f.Fuzz(func(t *testing.T, claims []byte) {
		var m map[string]any
		if json.Unmarshal(claims, &m) != nil {
			return
		}
		tok, err := signer.Sign("secevent+jwt", json.RawMessage(claims))
		if err != nil {
			return
		}
		s.recorder = signals.NewRecorder(transmitter.Name, signals.KindSharedSignals, signals.Deps{
			Evictor: l, Now: func() time.Time { return time.Unix(now, 0) },
		}.WithDefaults()) // which has seen no signal
		l.Reset()
		w := postSet(t, s, tok.Reveal())
		evicted := l.All()
		if len(evicted) > 0 && (w.Code != http.StatusAccepted || m["iss"] != rec.Issuer || !hasAudience(m["aud"])) {
			t.Fatalf("status %d for %s", w.Code, claims)
		}
		for _, r := range evicted {
			if !isNamed(r) || r.All || r.Issuer != transmitter.Name || r.At.Unix() > now {
				t.Fatalf("revocation %+v for %s", r, claims)
			}
		}
	})
}

func hasAudience(aud any) bool {
	list, ok := aud.([]any)
	return aud == transmitter.StreamAudience || ok && slices.Contains(list, any(transmitter.StreamAudience))
}
