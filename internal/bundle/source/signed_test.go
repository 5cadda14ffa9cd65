package source_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/bundle/signature"
	"github.com/authz-sidecar/sidecar/internal/bundle/source"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/bundleserver"
)

// signer is one who signs bundles.
type signer struct{ private, public string }

func newSigner(t *testing.T) signer {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return signer{testkit.KeyPEM(t, private), string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}
}

// sign returns an archive with a signature.
func (p signer) sign(t *testing.T, raw []byte) []byte {
	t.Helper()
	a, err := archive.Read("orders", bytes.NewReader(raw), archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if a, err = signature.Sign(a, signature.Signing{Key: secret.New(p.private), KeyID: "ci",
		Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := archive.Write(&b, a); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// trusting is a source whose bundles must be signed with a key in a file.
func trusting(url, key string) source.Config {
	return configured(url, func(c *source.Config) { c.Signature.Keys = []signature.Key{{ID: "ci", File: key}} })
}

func TestSignature_OfEachArchiveMustHold(t *testing.T) {
	srv, ci, other := bundleserver.Start(t), newSigner(t), newSigner(t)
	key := testkit.TempFile(t, "ci.pem", ci.public)
	srv.Serve(ci.sign(t, orders(t, "1", "one")))
	s := open(t, trusting(srv.URL, key)).run(t)
	if st := s.Status()[0]; len(st.Signers) != 1 || !strings.HasPrefix(st.Signers[0].KeyID, "ci") {
		t.Errorf("signers %q", st.Signers)
	}
	srv.Serve(orders(t, "2", "two"))
	s.fails(t, "signature_error")
	srv.Serve(other.sign(t, orders(t, "3", "three")))
	s.fails(t, "signature_error")
	if s.holds() != "one" {
		t.Errorf("holds %s", s.holds())
	}
	srv.Serve(ci.sign(t, orders(t, "4", "four")))
	s.becomes(t, "four")
}

func TestSignature_ByAKeyThatComesLaterIsAccepted(t *testing.T) {
	srv, ci, next := bundleserver.Start(t), newSigner(t), newSigner(t)
	key := testkit.TempFile(t, "ci.pem", ci.public)
	srv.Serve(ci.sign(t, orders(t, "1", "one")))
	s := open(t, trusting(srv.URL, key)).run(t)
	srv.Serve(next.sign(t, orders(t, "2", "two")))
	s.fails(t, "signature_error")
	testkit.WriteFile(t, key, next.public)
	s.becomes(t, "two")
}

func TestSignature_ByAKeyThatIsWithdrawnIsSaidAndTheArchiveStays(t *testing.T) {
	srv, ci := bundleserver.Start(t), newSigner(t)
	key := testkit.TempFile(t, "ci.pem", ci.public)
	srv.Serve(ci.sign(t, orders(t, "1", "one")))
	s := open(t, trusting(srv.URL, key)).run(t)
	testkit.WriteFile(t, key, newSigner(t).public)
	s.fails(t, "signature_error")
	if s.holds() != "one" {
		t.Errorf("holds %s", s.holds())
	}
}

// TestSignature_ThatIsAddedIsANewVersionOfTheSameContents: who signed is shown, gated on, and persisted.
func TestSignature_ThatIsAddedIsANewVersionOfTheSameContents(t *testing.T) {
	srv, ci, security, dir := bundleserver.Start(t), newSigner(t), newSigner(t), t.TempDir()
	cfg := trusting(srv.URL, testkit.TempFile(t, "ci.pem", ci.public))
	cfg.Persist = dir
	cfg.Signature.Keys = append(cfg.Signature.Keys,
		signature.Key{ID: "sec", File: testkit.TempFile(t, "sec.pem", security.public)})
	first := ci.sign(t, orders(t, "1", "one"))
	srv.Serve(first)
	s := open(t, cfg).run(t)
	a, err := archive.Read("orders", bytes.NewReader(first), archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	a, err = signature.Countersign(a, signature.Signing{Key: secret.New(security.private), KeyID: "sec",
		Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := archive.Write(&b, a); err != nil {
		t.Fatal(err)
	}
	srv.Serve(b.Bytes())
	testkit.Eventually(t, "two have signed", func() bool { return len(s.Status()[0].Signers) == 2 })
	s.activate(t)
	if st := s.Status()[0]; !st.Active || !st.Persisted {
		t.Errorf("status %+v", st)
	}
	if raw, err := os.ReadFile(kept(t, dir)); err != nil || !bytes.Equal(raw, b.Bytes()) {
		t.Errorf("the signature is not persisted: %v", err)
	}
}

// TestSignature_CoversEveryByte flips a bit in each byte of a signed archive: it is refused, or means the same.
func TestSignature_CoversEveryByte(t *testing.T) {
	ci := newSigner(t)
	good := ci.sign(t, orders(t, "1", "one"))
	dir := t.TempDir()
	cfg := trusting("", testkit.TempFile(t, "ci.pem", ci.public))
	cfg.URL, cfg.AllowInsecureHTTP, cfg.Path = "", false, filepath.Join(dir, "b.tar.gz")
	read := func(raw []byte) (digest, errs string) {
		if err := os.WriteFile(cfg.Path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(cfg.Path, old, old); err != nil {
			t.Fatal(err)
		}
		s := open(t, cfg)
		return s.Status()[0].Digest, s.errs()
	}
	want, _ := read(good)
	if want == "" {
		t.Fatal("the signed archive is refused")
	}
	refused := 0
	for i := range good {
		flipped := bytes.Clone(good)
		flipped[i] ^= 1 << (i % 8)
		digest, errs := read(flipped)
		switch {
		case digest == "" && errs != "":
			refused++
		case digest != want:
			t.Errorf("byte %d of %d: accepted as %q", i, len(good), digest)
		}
	}
	if refused < len(good)-20 { // the header of gzip has a time and a system, which are no part of a bundle
		t.Errorf("%d of %d flips are refused", refused, len(good))
	}
}
