package app

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/bundle/signature"
	"github.com/authz-sidecar/sidecar/internal/bundle/source"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/bundleserver"
)

// release is a key that signs, and the file of its public key.
func release(t *testing.T) (signature.Signing, string) {
	t.Helper()
	how := signature.Signing{Key: secret.New(testkit.KeyPEM(t, testkit.FixedKey(t, "EdDSA"))), KeyID: "release",
		Now: time.Now()}
	signer, err := jose.NewSigner(how.Key, "", how.KeyID)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "release.jwk")
	testkit.WriteFile(t, file, string(signer.Public()))
	return how, file
}

// signedShop is shop, signed, and its content digest.
func signedShop(t *testing.T, how signature.Signing, revision, word string) (raw []byte, digest string) {
	t.Helper()
	a, err := archive.Read("shop", bytes.NewReader(shop(t, revision, word)), archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if a, err = signature.Sign(a, how); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := archive.Write(&out, a); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), a.Digest
}

func TestSignatures_AreToldByDecisionsEventsStatusAndLog(t *testing.T) {
	t.Parallel()
	how, public := release(t)
	srv := bundleserver.Start(t)
	raw, _ := signedShop(t, how, "1", "one")
	srv.Serve(raw)
	c := served(srv.URL)
	c.Signature.Keys = []signature.Key{{ID: "release", File: public}}
	c.Signature.Signers = []signature.Role{{Role: "author", Keys: []string{"release"}}}
	w := start(t, func(cfg *config.Config) { cfg.Policies.Sources = []source.Config{c} })

	srv.Serve(shop(t, "2", "two"))
	testkit.Eventually(t, "the unsigned bundle is refused", func() bool {
		s := w.status(t).Sources[0]
		return len(s.Errors) > 0 && strings.Contains(s.Errors[0].Text, "the bundle is not signed")
	})
	raw, digest := signedShop(t, how, "3", "one")
	srv.Serve(raw)
	testkit.Eventually(t, "the signed bundle decides", func() bool { return w.revision(t, "shop") == "3" })

	const signers = `"signers":[{"key_id":"release","role":"author","algorithm":"EdDSA"}]`
	want := `"bundles":{"shop":{"revision":"3","digest":"` + digest + `",` + signers + `}}`
	said, err := w.send(t.Context(), http.MethodPost, w.api+"/v1/decisions", call(w.token(t, good())))
	if err != nil || !strings.Contains(said, want) {
		t.Errorf("decision %s, error %v, want %s", said, err, want)
	}
	if s := w.status(t).Sources[0]; s.Digest != digest || len(s.Signers) != 1 ||
		s.Signers[0].String() != "release (author)" {
		t.Errorf("status %+v", s)
	}
	if line := "shop " + digest + ": release (author)"; !strings.Contains(w.logger.String(), line) {
		t.Errorf("the log does not say %q", line)
	}
	testkit.Eventually(t, "the event is written", func() bool {
		raw, err := os.ReadFile(w.cfg.DecisionLog.File)
		return err == nil && strings.Contains(string(raw), `"shop":{"revision":"3","digest":"`+digest+`",`+signers+`}`)
	})
}
