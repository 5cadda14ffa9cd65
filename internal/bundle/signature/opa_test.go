package signature_test

import (
	"bytes"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	opa "github.com/open-policy-agent/opa/v1/bundle"

	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/bundle/signature"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// everyAlgorithm is a signer for each algorithm that OPA knows too.
func everyAlgorithm(t *testing.T) []person {
	t.Helper()
	var all []person
	for key, algorithms := range map[string][]string{"RS256": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
		"ES256": {"ES256"}, "ES384": {"ES384"}, "ES512": {"ES512"}, "EdDSA": {"EdDSA"}} {
		for _, a := range algorithms {
			k := testkit.FixedKey(t, key)
			all = append(all, personOf(t, "k-"+a, a, k, k.Public()))
		}
	}
	for _, a := range []string{"HS256", "HS384", "HS512"} {
		s := "a secret of sixty-four characters, which is as long as SHA-512 is"
		all = append(all, person{id: "k-" + a, algorithm: a, private: s, public: s})
	}
	return all
}

// trusted are the keys of one signer, also of one with a secret.
func trusted(t *testing.T, p person) *signature.Keys {
	t.Helper()
	key := p.key(t)
	if block, _ := pem.Decode([]byte(p.public)); block == nil {
		key.File, key.Secret = "", secret.Source{File: key.File}
	}
	return opened(t, signature.Config{Keys: []signature.Key{key}})
}

func packed(t testing.TB, a *archive.Archive) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := archive.Write(&buf, a); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// verifiedByOPA reads an archive with OPA, which demands a signature.
func verifiedByOPA(raw []byte, p person, scope string) (opa.Bundle, error) {
	keys := map[string]*opa.KeyConfig{p.id: {Key: p.public, Algorithm: p.algorithm}}
	return opa.NewCustomReader(opa.NewTarballLoaderWithBaseURL(bytes.NewReader(raw), "")).
		WithBundleVerificationConfig(opa.NewVerificationConfig(keys, "", scope, nil)).Read()
}

func TestSign_MakesWhatOPAVerifies(t *testing.T) {
	for _, p := range everyAlgorithm(t) {
		t.Run(p.algorithm, func(t *testing.T) {
			a := p.sign(t, bundleOf(t, small))
			if _, err := verifiedByOPA(packed(t, a), p, ""); err != nil {
				t.Errorf("OPA refuses it: %v", err)
			}
			if s := verified(t, trusted(t, p), a); s.Signers[0].Algorithm != p.algorithm {
				t.Errorf("signed by %+v", s)
			}
		})
	}
}

func TestSign_KeepsToTheScopeThatOPAExpects(t *testing.T) {
	ann := newPerson(t, "ann")
	how := ann.signing()
	how.Scope = "production"
	a, err := signature.Sign(bundleOf(t, small), how)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifiedByOPA(packed(t, a), ann, "production"); err != nil {
		t.Errorf("OPA refuses it: %v", err)
	}
	if _, err := verifiedByOPA(packed(t, a), ann, "staging"); err == nil {
		t.Error("OPA takes it for another scope")
	}
	cfg := signature.Config{Keys: []signature.Key{ann.key(t)}, Scope: "production"}
	verified(t, opened(t, cfg), a)
	cfg.Scope = ""
	refused(t, opened(t, cfg), a,
		`b/.signatures.json: signature_error: the signature has the scope "production", and "" is configured`)
}

func TestCountersign_MakesWhatOPAPassesOver(t *testing.T) {
	ann, rob := newPerson(t, "ann"), newPerson(t, "rob")
	a := rob.countersign(t, ann.sign(t, bundleOf(t, small)))
	if _, err := verifiedByOPA(packed(t, a), ann, ""); err != nil {
		t.Errorf("OPA refuses it: %v", err)
	}
}

// signedByOPA is a bundle that OPA has read, signed and written.
func signedByOPA(t testing.TB, a *archive.Archive, p person) []byte {
	t.Helper()
	b, err := opa.NewCustomReader(opa.NewTarballLoaderWithBaseURL(bytes.NewReader(packed(t, a)), "")).Read()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(p.private), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.GenerateSignature(opa.NewSigningConfig(file, p.algorithm, ""), p.id, false); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := opa.NewWriter(&out).Write(b); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestVerify_TakesWhatOPASigned(t *testing.T) {
	for _, p := range everyAlgorithm(t) {
		t.Run(p.algorithm, func(t *testing.T) {
			a := readArchive(t, signedByOPA(t, bundleOf(t, small), p))
			if s := verified(t, trusted(t, p), a); s.Signers[0].KeyID != p.id {
				t.Errorf("signed by %+v", s)
			}
		})
	}
}

func TestCountersign_GoesBesideASignatureByOPA(t *testing.T) {
	ann, rob := newPerson(t, "ann"), newPerson(t, "rob")
	a := rob.countersign(t, readArchive(t, signedByOPA(t, bundleOf(t, small), ann)))
	verified(t, opened(t, twoRoles(t, []person{ann}, []person{rob})), a)
	if _, err := verifiedByOPA(packed(t, a), ann, ""); err != nil {
		t.Errorf("OPA refuses it: %v", err)
	}
}

func readArchive(t testing.TB, raw []byte) *archive.Archive {
	t.Helper()
	a, err := archive.Read("b", bytes.NewReader(raw), archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestVerify_EachFlippedBitIsRefusedOrChangesNothing flips each bit of a signed archive, as OPA wrote it and as the
// sidecar did. Some bits mean nothing, such as the time in the header of gzip: with these the files are the same.
func TestVerify_EachFlippedBitIsRefusedOrChangesNothing(t *testing.T) {
	ann := newPerson(t, "ann")
	keys := trusting(t, ann)
	few := map[string]string{".manifest": small[".manifest"], "orders/data.json": `{"a": [1.0]}`,
		"orders/orders.rego": "package orders\n"}
	for name, raw := range map[string][]byte{
		"by the sidecar": packed(t, ann.sign(t, bundleOf(t, few))),
		"by OPA":         signedByOPA(t, bundleOf(t, few), ann),
	} {
		t.Run(name, func(t *testing.T) {
			want := readArchive(t, raw)
			same := 0
			for i := range raw {
				for bit := range 8 {
					flipped := bytes.Clone(raw)
					flipped[i] ^= 1 << bit
					a, err := archive.Read("b", bytes.NewReader(flipped), archive.Limits{})
					if err != nil {
						continue
					}
					if _, err := keys.Verify(a); err != nil {
						continue
					}
					if same++; a.Digest != want.Digest {
						t.Errorf("byte %d, bit %d: the files differ, and their signature holds", i, bit)
					}
				}
			}
			if most := 8 * len(raw) / 16; same > most {
				t.Errorf("%d of the flipped bits change nothing, want at most %d", same, most)
			}
		})
	}
}

// TestVerify_EachFlippedBitBelowGzipIsRefusedOrChangesNothing flips bits of what gzip holds: its checksum, which no
// attacker heeds, does not help.
func TestVerify_EachFlippedBitBelowGzipIsRefusedOrChangesNothing(t *testing.T) {
	ann := newPerson(t, "ann")
	keys := trusting(t, ann)
	few := map[string]string{".manifest": small[".manifest"], "orders/data.json": "{\"a\":\t[1.0]}",
		"orders/orders.rego": "package orders\n"}
	signed := ann.sign(t, bundleOf(t, few))
	for i, f := range signed.Files {
		for at := range f.Raw {
			for bit := range 8 {
				changed := *signed
				changed.Files = append([]archive.File{}, signed.Files...)
				changed.Files[i].Raw = bytes.Clone(f.Raw)
				changed.Files[i].Raw[at] ^= 1 << bit
				if s, err := keys.Verify(&changed); err == nil {
					t.Errorf("%s: byte %d, bit %d: the signature holds: %+v", f.Name, at, bit, s)
				}
			}
		}
	}
	for at := range signed.Signatures {
		changed := *signed
		changed.Signatures = bytes.Clone(signed.Signatures)
		changed.Signatures[at] ^= 1
		if s, err := keys.Verify(&changed); err == nil && len(s.Signers) == 0 {
			t.Errorf("byte %d of the signatures: the bundle is taken as unsigned", at)
		}
	}
}
