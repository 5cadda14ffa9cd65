package signature_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/signature"
)

func TestVerify_SaysWhoSigned(t *testing.T) {
	ann, bob := newPerson(t, "ann"), newPerson(t, "bob")
	a := bob.countersign(t, ann.sign(t, bundleOf(t, small)))
	got := verified(t, trusting(t, ann, bob), a)
	want := bundle.Signed{Signers: []bundle.Signer{{KeyID: "ann", Algorithm: "EdDSA"},
		{KeyID: "bob", Algorithm: "EdDSA"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("signed %+v, want %+v", got, want)
	}
}

func TestVerify_RefusesAnUnsignedBundleAsSoonAsThereAreKeys(t *testing.T) {
	ann, a := newPerson(t, "ann"), bundleOf(t, small)
	refused(t, trusting(t, ann), a,
		`b: signature_error: the bundle is not signed: sign it with sidecar bundle sign, by one of the keys "ann"`)
	for _, cfg := range []signature.Config{{}, {Keys: []signature.Key{ann.key(t)}, Require: "never"}} {
		if s := verified(t, opened(t, cfg), a); len(s.Signers) > 0 {
			t.Errorf("signed by %v", s)
		}
	}
}

func TestVerify_RefusesABadSignatureEvenWhereNoneIsRequired(t *testing.T) {
	ann, a := newPerson(t, "ann"), bundleOf(t, small)
	keys := opened(t, signature.Config{Keys: []signature.Key{ann.key(t)}, Require: "never"})
	refused(t, keys, newPerson(t, "ann").sign(t, a),
		`b/.signatures.json: signature_error: the signature by key "ann" `+
			"does not hold: compare the key with that of the signer")
}

func TestVerify_RefusesAKeyThatIsNotConfigured(t *testing.T) {
	ann, eve := newPerson(t, "ann"), newPerson(t, "eve")
	refused(t, trusting(t, ann), eve.sign(t, bundleOf(t, small)),
		`b/.signatures.json: signature_error: the signature `+
			`is by key "eve", which is not configured: the keys are "ann"`)
}

func TestVerify_RefusesFilesThatAreNotThoseThatWereSigned(t *testing.T) {
	ann := newPerson(t, "ann")
	keys, signed := trusting(t, ann), ann.sign(t, bundleOf(t, small))
	const differs = ": signature_error: the file is not the one that was signed: its hash differs"
	const digest = "b/.signatures.json: signature_error: the signature names the digest "
	for name, c := range map[string]struct {
		changes map[string]string
		want    string
	}{
		"module": {map[string]string{"orders/orders.rego": "package orders\n\nallow := true\n"},
			"b/orders/orders.rego" + differs},
		"data": {map[string]string{"orders/data.json": `{"limits": {"get": 2}}`}, "b/orders/data.json" + differs},
		"spelling of a number": {map[string]string{"orders/data.json": strings.Replace(small["orders/data.json"],
			"1.0",
			"1.00", 1)}, "b/orders/data.json" + differs},
		"manifest": {map[string]string{".manifest": `{"revision": "r0", "roots": ["orders"]}`},
			"b/.manifest" + differs},
		"test": {map[string]string{"orders/orders_test.rego": "package orders.orders_test\n\ntest_x := true\n"},
			"b/orders/orders_test.rego" + differs},
		"other": {map[string]string{"README.md": "# Order\n"}, "b/README.md" + differs},
		"added": {map[string]string{"orders/more.rego": "package orders\n\nallow := true\n"}, "b/orders/more.rego: " +
			"signature_error: the file is not in the signature: it was added after the bundle was signed"},
		"removed": {map[string]string{"orders/data.json": ""}, `b/.signatures.json: signature_error: the signature ` +
			`names the file "orders/data.json", which is not in the bundle`},
		"layout of data": {map[string]string{"orders/more/data.yaml": "list: [a, 16]\npost: 2\n"},
			digest + signed.Digest +
				", and that of the files is " +
				bundleOf(t, with(map[string]string{"orders/more/data.yaml": "list: [a, 16]\npost: 2\n"})).Digest +
				": a file was changed"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, keys, moved(bundleOf(t, with(c.changes)), signed), c.want) })
	}
}
