package signature_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/bundle/signature"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// small is a sound bundle.
var small = map[string]string{
	".manifest":               `{"revision": "r1", "roots": ["orders"]}`,
	"README.md":               "# Orders\n",
	"orders/orders.rego":      "package orders\n\nallow if input.user == \"ann\"\n",
	"orders/orders_test.rego": "package orders.orders_test\n",
	"orders/data.json":        `{"limits": {"get": 1.0, "post": 1e3}, "é": ["<a>", null]}`,
	"orders/more/data.yaml":   "post: 2\nlist: [a, 0x10]\n",
}

// with is small with some files changed; an empty text takes a file out.
func with(changes map[string]string) map[string]string {
	files := maps.Clone(small)
	maps.Copy(files, changes)
	maps.DeleteFunc(files, func(_, text string) bool { return text == "" })
	return files
}

func bundleOf(t testing.TB, files map[string]string) *archive.Archive {
	t.Helper()
	var all []archive.File
	for _, name := range slices.Sorted(maps.Keys(files)) {
		all = append(all, archive.File{Name: name, Raw: []byte(files[name])})
	}
	a, err := archive.New("b", all)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// person is a signer with a key pair.
type person struct {
	id, algorithm string
	private       string
	public        string
}

func newPerson(t testing.TB, id string) person {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return personOf(t, id, "EdDSA", private, public)
}

func personOf(t testing.TB, id, algorithm string, private, public crypto.PublicKey) person {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return person{id: id, algorithm: algorithm, private: testkit.KeyPEM(t, private),
		public: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}
}

// key is the public key in a file.
func (p person) key(t testing.TB) signature.Key {
	t.Helper()
	file := filepath.Join(t.TempDir(), p.id+".pem")
	testkit.WriteFile(t, file, p.public)
	return signature.Key{ID: p.id, File: file, Algorithm: p.algorithm}
}

func (p person) signing() signature.Signing {
	return signature.Signing{Key: secret.New(p.private), Algorithm: p.algorithm, KeyID: p.id, Now: time.Now()}
}

func (p person) sign(t testing.TB, a *archive.Archive) *archive.Archive {
	t.Helper()
	signed, err := signature.Sign(a, p.signing())
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func (p person) countersign(t testing.TB, a *archive.Archive) *archive.Archive {
	t.Helper()
	signed, err := signature.Countersign(a, p.signing())
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// trusting opens the keys of some people.
func trusting(t testing.TB, people ...person) *signature.Keys {
	t.Helper()
	var cfg signature.Config
	for _, p := range people {
		cfg.Keys = append(cfg.Keys, p.key(t))
	}
	return opened(t, cfg)
}

func opened(t testing.TB, cfg signature.Config) *signature.Keys {
	t.Helper()
	if err := conf.Validate(cfg); err != nil {
		t.Fatal(err)
	}
	keys, err := signature.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// refused compares the problems of a bundle with the wanted ones.
func refused(t testing.TB, keys *signature.Keys, a *archive.Archive, want ...string) {
	t.Helper()
	signed, err := keys.Verify(a)
	ps, ok := errors.AsType[bundle.Problems](err)
	if !ok || len(signed.Signers) > 0 {
		t.Fatalf("signed by %v, error %T (%v), want problems", signed, err, err)
	}
	if got := ps.Error(); got != strings.Join(want, "\n") {
		t.Errorf("problems:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

func verified(t testing.TB, keys *signature.Keys, a *archive.Archive) bundle.Signed {
	t.Helper()
	signed, err := keys.Verify(a)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// moved is a bundle with the signatures of another one.
func moved(a, signed *archive.Archive) *archive.Archive {
	b := *a
	b.Signatures = signed.Signatures
	return &b
}

const testDigest = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"

// envelope is the file of signatures.
type envelope struct {
	Signatures        []string `json:"signatures"`
	Countersignatures []string `json:"countersignatures,omitempty"`
}

func pieces(t testing.TB, a *archive.Archive) envelope {
	t.Helper()
	var e envelope
	if err := json.Unmarshal(a.Signatures, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// on is a bundle with these signatures.
func (e envelope) on(t testing.TB, a *archive.Archive) *archive.Archive {
	t.Helper()
	raw, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	b := *a
	b.Signatures = raw
	return &b
}

// excluding is a configuration with one key, and files that need not be signed.
func excluding(key signature.Key, patterns ...string) signature.Config {
	return signature.Config{Keys: []signature.Key{key}, Exclude: patterns}
}
