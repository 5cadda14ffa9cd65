package extauthz

import (
	"testing"

	"github.com/go-json-experiment/json"
)

// FuzzPlainFacts: facts without metadata are written as json.Marshal writes them, or are an error to both.
func FuzzPlainFacts(f *testing.F) {
	f.Add("", "", "", "", "", "", "", "", uint32(0), false)
	f.Add("route", "orders", "b", "<&>\"\\\n\u2028", "spiffe://a/b", "sni", "HTTP/2", "id", uint32(443), true)
	f.Add("route", "orders", "route", "", "\xff", "", "", "", uint32(1), true)
	f.Fuzz(func(t *testing.T, key, value, key2, value2, principal, sni, protocol, id string, port uint32, at bool) {
		facts := envoyFacts{Principal: principal, SNI: sni, Protocol: protocol, RequestID: id}
		if key != "" {
			facts.ContextExtensions = map[string]string{key: value, key2: value2}
		}
		if at {
			facts.Destination = &destination{value, port, sni}
		}
		want, bad := json.Marshal(besides{facts}, json.Deterministic(true))
		got, err := facts.appendPlain(nil)
		if (err == nil) != (bad == nil) || err == nil && string(got) != string(want) {
			t.Fatalf("wrote %s (%v), want %s (%v)", got, err, want, bad)
		}
	})
}
