package guard

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func TestSourcesAreSubscribersAndNotAddresses(t *testing.T) {
	for _, same := range [][2]string{{"2001:db8::1", "2001:db8::ffff:1"}, {"192.0.2.1", "::ffff:192.0.2.1"},
		{"fe80::1%eth0", "fe80::1"}} {
		if a, b := networkOf(same[0]), networkOf(same[1]); !a.IsValid() || a != b {
			t.Errorf("%v and %v differ", a, b)
		}
	}
	for _, other := range [][2]string{{"2001:db8::1", "2001:db8:0:1::1"}, {"192.0.2.1", "192.0.2.2"}} {
		if networkOf(other[0]) == networkOf(other[1]) {
			t.Errorf("%v are one", other)
		}
	}
	for _, none := range []string{"", "localhost", strings.Repeat("1", 1<<10)} {
		if networkOf(none).IsValid() {
			t.Errorf("%q is an address", none)
		}
	}
}

func TestAFloodFromManyAddressesLeavesMemoryBounded(t *testing.T) {
	u := newGuessLimiter(Config{UnknownTokens: 1000, UnknownBySource: 50},
		Deps{Issuer: "test"}, introspect.NewRefusals(nil, causeUnknownSource, causeUnknownTotal))
	before := testkit.Heap()
	for n := range 300_000 {
		source := netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}).String()
		_ = u.Admit(secret.Fingerprint{byte(n), byte(n >> 8), byte(n >> 16)}, source)
		u.Learn(secret.Fingerprint{byte(n), byte(n >> 8), byte(n >> 16)}, source, false)
		if n%2 == 0 {
			u.Learn(secret.Fingerprint{byte(n), byte(n >> 8), byte(n >> 16), 1}, source, true)
		}
	}
	if after := testkit.Heap(); after > before+32<<20 {
		t.Errorf("heap grew from %d to %d", before, after)
	}
}
