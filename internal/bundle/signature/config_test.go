package signature_test

import (
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle/signature"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

func TestConfig_ReportsWhatCannotBeMeant(t *testing.T) {
	ann := newPerson(t, "ann").key(t)
	bob := newPerson(t, "bob").key(t)
	both := []signature.Key{ann, bob}
	for want, c := range map[string]signature.Config{
		"require: is set, and there are no keys": {Require: "always"},
		"signers: is set, and there are no keys": {
			Signers: []signature.Role{{Role: "a", Keys: []string{"ann"}}}},
		"reviewed: is set, and there are no keys":                      {Reviewed: true},
		"require: is never, and signers or reviewed demand signatures": {Keys: both, Require: "never", Reviewed: true},
		"signers[0].keys[0]: \"eve\" is the id of no key": {Keys: both,
			Signers: []signature.Role{{Role: "a", Keys: []string{"eve"}}}},
		"signers[1].keys[0]: \"ann\" has the role \"a\" too": {Keys: both,
			Signers: []signature.Role{{Role: "a", Keys: []string{"ann"}}, {Role: "b", Keys: []string{"ann"}}}},
		"signers[1].role: \"a\" has an item already": {Keys: both,
			Signers: []signature.Role{{Role: "a", Keys: []string{"ann"}}, {Role: "a", Keys: []string{"bob"}}}},
		"signers[0].keys: is empty":          {Keys: both, Signers: []signature.Role{{Role: "a"}}},
		"signers[0].role: is empty":          {Keys: both, Signers: []signature.Role{{Keys: []string{"ann"}}}},
		"exclude[0]: \"[\" is not a pattern": {Keys: both, Exclude: []string{"["}},
		"keys[0].id: is empty":               {Keys: []signature.Key{{File: ann.File}}},
		"keys[0].file: is empty":             {Keys: []signature.Key{{ID: "a"}}},
		"keys[0].algorithm: is not one of a": {Keys: []signature.Key{{ID: "a", Secret: secret.Source{Env: "X"}}}},
		"keys[0].algorithm: HS256 needs a":   {Keys: []signature.Key{{ID: "a", File: ann.File, Algorithm: "HS256"}}},
		"keys[0].secret: is set, and file": {Keys: []signature.Key{
			{ID: "a", File: "x", Secret: secret.Source{Env: "X"}}}},
		"keys[0].algorithm: \"none\" is not one of": {Keys: []signature.Key{{ID: "a", File: "x", Algorithm: "none"}}},
	} {
		if err := conf.Validate(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if err := conf.Validate(signature.Config{Keys: both}); err != nil {
		t.Error(err)
	}
}

func TestConfig_DoubtsABundleOfAnyOriginAndASharedSecret(t *testing.T) {
	for want, c := range map[string]signature.Config{
		"keys":           {},
		"keys[0].secret": {Keys: []signature.Key{{ID: "a", Algorithm: "HS256", Secret: secret.Source{Env: "X"}}}},
		"":               {Keys: []signature.Key{newPerson(t, "ann").key(t)}},
	} {
		got := ""
		c.Doubts(func(key, _, _ string) { got += key })
		if got != want {
			t.Errorf("doubts %q, want %q", got, want)
		}
	}
}

func TestOpen_ReportsKeysThatCannotVerify(t *testing.T) {
	ann := newPerson(t, "ann")
	private, wrong, short := ann, ann, ann
	private.public = ann.private
	wrong.algorithm = "ES256"
	short.public = "too short"
	weak := short.key(t)
	weak.Secret, weak.File, weak.Algorithm = secret.Source{File: weak.File}, "", "HS256"
	for want, key := range map[string]signature.Key{
		"keys[0] (ann): read key: it is a private key: name the file of the public one": private.key(t),
		"keys[0] (ann): read key: it is of another type than algorithm \"ES256\" needs": wrong.key(t),
		"keys[0] (ann): read key: there is no public key in PEM or JWK form":            short.key(t),
		"keys[0] (ann): read key: the secret is too short for \"HS256\"":                weak,
		"keys[0].file: read file: open nowhere.pem: no such file or directory": {ID: "ann",
			File: "nowhere.pem"},
	} {
		if _, err := signature.Open(signature.Config{Keys: []signature.Key{key}}); err == nil ||
			err.Error() != "read keys of signatures: "+want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
