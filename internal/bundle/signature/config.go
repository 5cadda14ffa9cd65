// Package signature signs bundles and verifies who signed them, in OPA's format: a JWT over the hashes of all files in
// .signatures.json. A member of that file that OPA passes over, "countersignatures", holds those of reviewers, over
// the content digest.
package signature

import (
	"fmt"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Config says which signatures a bundle must have.
type Config struct {
	Keys     []Key    `yaml:"keys" doc:"Keys that verify. As soon as there is one, a bundle without a good signature is refused."`
	Require  string   `yaml:"require" default:"with_keys" enum:"with_keys|always|never" doc:"Whether an unsigned bundle is refused: with_keys does so as soon as there are keys. never accepts an unsigned bundle, and still refuses a signature that does not hold."`
	Signers  []Role   `yaml:"signers" doc:"Roles that must all have signed, each by a key of its own. The first signature is OPA's, others are countersignatures."`
	Reviewed bool     `yaml:"reviewed" doc:"Demand a signature that names the digest of a review, as sidecar bundle sign --reviewed makes it."`
	Scope    string   `yaml:"scope" doc:"What the claim scope of a signature must be, as in OPA. Empty means that there must be none."`
	Exclude  []string `yaml:"exclude" doc:"Patterns of files that need not be signed, such as README.md or docs/*. Policy, data and tests must always be."`
}

// Key is one key. A key id may be given several times while a key is replaced.
type Key struct {
	ID        string        `yaml:"id" doc:"Key id, which the kid of a signature names."`
	File      string        `yaml:"file" path:"read" doc:"File of the public key, or of several with this id: PEM, JWK or JWK Set. Read again when it changes."`
	Algorithm string        `yaml:"algorithm" doc:"The one algorithm of the key, whatever a signature says. Empty means RS256, ES256, ES384, ES512 or EdDSA, by its type."`
	Secret    secret.Source `yaml:"secret" doc:"Shared secret for HS256, HS384 or HS512, in place of file. Every instance that verifies with it can also sign: prefer a key pair."`
}

// Words are the algorithms: see conf.Worder.
func (Key) Words(key string) []string {
	if key == "algorithm" {
		return append(jose.SignatureAlgorithms(), jose.MACAlgorithms()...)
	}
	return nil
}

// Role is a part in the release of a bundle, and who may play it.
type Role struct {
	Role string   `yaml:"role" doc:"Name of the role, such as author or reviewer."`
	Keys []string `yaml:"keys" doc:"Key ids of those in this role. One of them must have signed."`
}

const maxKeys = 100

// required reports whether an unsigned bundle is refused.
func (c Config) required() bool {
	return c.Require == "always" || c.Require != "never" && len(c.Keys) > 0
}

// Check reports what the tags of c cannot say: see conf.Checker.
func (c Config) Check(fault func(key, cause, hint string)) {
	if len(c.Keys) == 0 {
		for _, k := range []struct {
			key string
			set bool
		}{
			{"require", c.Require == "always"}, {"signers", len(c.Signers) > 0}, {"reviewed", c.Reviewed},
			{"scope", c.Scope != ""}, {"exclude", len(c.Exclude) > 0},
		} {
			if k.set {
				fault(k.key, "is set, and there are no keys to verify with", "name them under keys")
			}
		}
	}
	if c.Require == "never" && (len(c.Signers) > 0 || c.Reviewed) {
		fault("require", "is never, and signers or reviewed demand signatures", "remove one of the two")
	}
	if len(c.Keys) > maxKeys {
		fault("keys", fmt.Sprintf("are more than %d", maxKeys), "remove those that no longer sign")
	}
	for i, pattern := range c.Exclude {
		if !wellFormed(pattern) {
			fault(fmt.Sprintf("exclude[%d]", i), fmt.Sprintf("%q is not a pattern", pattern),
				"write a path below the bundle, or a pattern with * and ?, such as docs/*")
		}
	}
	c.checkSigners(fault)
}

// checkSigners reports roles that no bundle, or every single person, could fill.
func (c Config) checkSigners(fault func(key, cause, hint string)) {
	roles, roleOf := map[string]bool{}, map[string]string{}
	for i, r := range c.Signers {
		key := fmt.Sprintf("signers[%d]", i)
		switch {
		case r.Role == "":
			fault(key+".role", "is empty", "name the role, such as reviewer")
		case roles[r.Role]:
			fault(key+".role", fmt.Sprintf("%q has an item already", r.Role), "put all its keys into one item")
		}
		roles[r.Role] = true
		if len(r.Keys) == 0 {
			fault(key+".keys", "is empty", "name the key ids of those in this role")
		}
		for j, id := range r.Keys {
			at := fmt.Sprintf("%s.keys[%d]", key, j)
			if !slices.ContainsFunc(c.Keys, func(k Key) bool { return k.ID == id }) {
				fault(at, fmt.Sprintf("%q is the id of no key", id), "name the id of an item of keys")
			}
			if other, twice := roleOf[id]; twice {
				fault(at, fmt.Sprintf("%q has the role %q too", id, other),
					"give each role keys of its own: one key must not count twice")
			}
			roleOf[id] = r.Role
		}
	}
}

// Check reports what the tags of k cannot say: see conf.Checker.
func (k Key) Check(fault func(key, cause, hint string)) {
	mac := slices.Contains(jose.MACAlgorithms(), k.Algorithm)
	switch {
	case k.ID == "":
		fault("id", "is empty", "write the key id that signatures name as kid")
	case strings.TrimSpace(k.ID) != k.ID:
		fault("id", "begins or ends with a space", "remove it")
	}
	switch {
	case k.File == "" && k.Secret.IsZero():
		fault("file", "is empty", "name the file of the public key")
	case k.File != "" && !k.Secret.IsZero():
		fault("secret", "is set, and file too", "remove one of the two")
	case k.File != "" && mac:
		fault("algorithm", k.Algorithm+" needs a shared secret, and file is a public key",
			"leave it out, or name the secret by secret.file")
	case k.File == "" && !mac:
		fault("algorithm", "is not one of a shared secret", "write HS256, or name a public key by file")
	}
}

// Doubts are what is well-formed in c and probably not what is meant, with the key of each.
func (c Config) Doubts(doubt func(key, cause, hint string)) {
	if len(c.Keys) == 0 {
		doubt("keys", "are not set: a bundle is used of any origin", "name the public keys of those who sign it")
	}
	for i, k := range c.Keys {
		if !k.Secret.IsZero() {
			doubt(fmt.Sprintf("keys[%d].secret", i), "verifies with the same secret that signs: each instance can "+
				"sign a "+
				"bundle, and so can all readers of its files", "sign with a key pair: ES256 or EdDSA")
		}
	}
}
