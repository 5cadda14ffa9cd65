package signature_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/signature"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// twoRoles demand an author and a reviewer.
func twoRoles(t *testing.T, authors, reviewers []person) signature.Config {
	t.Helper()
	cfg := signature.Config{Signers: []signature.Role{{Role: "author"}, {Role: "reviewer"}}}
	for i, people := range [][]person{authors, reviewers} {
		for _, p := range people {
			cfg.Keys = append(cfg.Keys, p.key(t))
			cfg.Signers[i].Keys = append(cfg.Signers[i].Keys, p.id)
		}
	}
	return cfg
}

func TestRoles_EachMustHaveSigned(t *testing.T) {
	ann, abe, rob := newPerson(t, "ann"), newPerson(t, "abe"), newPerson(t, "rob")
	keys := opened(t, twoRoles(t, []person{ann, abe}, []person{rob}))
	a := bundleOf(t, small)
	const lacks = "b/.signatures.json: signature_error: the "
	const how = "; a second signature takes sidecar bundle sign --countersign"
	refused(t, keys, ann.sign(t, a), lacks+"reviewer has not signed: sign with one of the keys rob"+how)
	refused(t, keys, rob.sign(t, a), lacks+"author has not signed: sign with one of the keys ann, abe"+how)
	refused(t, keys, abe.countersign(t, ann.sign(t, a)),
		lacks+"reviewer has not signed: sign with one of the keys rob"+how)
	for name, both := range map[string]bundle.Signed{
		"author first":   verified(t, keys, rob.countersign(t, ann.sign(t, a))),
		"reviewer first": verified(t, keys, ann.countersign(t, rob.sign(t, a))),
	} {
		if len(both.Signers) != 2 || both.Signers[0].Role == both.Signers[1].Role {
			t.Errorf("%s: signed by %+v", name, both)
		}
	}
}

func TestRoles_OneKeyNeverCountsForTwo(t *testing.T) {
	ann := newPerson(t, "ann")
	alias := ann
	alias.id = "rob"
	_, err := signature.Open(twoRoles(t, []person{ann}, []person{alias}))
	const want = `read keys of signatures: "ann" and "rob" are the same key in different roles: it must ` +
		`not count twice`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestCountersignature_OfOtherFilesIsRefused(t *testing.T) {
	ann, rob := newPerson(t, "ann"), newPerson(t, "rob")
	keys := trusting(t, ann, rob)
	former := rob.countersign(t, ann.sign(t, bundleOf(t, small)))
	now := ann.sign(t, moved(bundleOf(t, with(map[string]string{"orders/x.rego": "package orders\n"})), former))
	if s := verified(t, keys, now); len(s.Signers) != 1 {
		t.Errorf("signing again kept a countersignature of other files: %+v", s)
	}
	stale := pieces(t, former)
	stale.Signatures = pieces(t, now).Signatures
	refused(t, keys, moved(now, stale.on(t, now)),
		`b/.signatures.json: signature_error: countersignature 1 by "rob" is `+
			"of other files: countersign this bundle again")
}

func TestCountersignature_OfAKeyThatIsNotConfiguredSaysNothing(t *testing.T) {
	ann, rob := newPerson(t, "ann"), newPerson(t, "rob")
	a := rob.countersign(t, ann.sign(t, bundleOf(t, small)))
	if s := verified(t, trusting(t, ann), a); len(s.Signers) != 1 || s.Signers[0].KeyID != "ann" {
		t.Errorf("signed by %+v", s)
	}
	refused(t, trusting(t, ann, newPerson(t, "rob")), a,
		`b/.signatures.json: signature_error: countersignature 1 by key `+
			`"rob" does not hold: compare the key with that of the signer`)
}

func TestCountersignature_NeverStandsForASignatureNorTheReverse(t *testing.T) {
	ann, rob := newPerson(t, "ann"), newPerson(t, "rob")
	keys := trusting(t, ann, rob)
	a := rob.countersign(t, ann.sign(t, bundleOf(t, small)))
	p := pieces(t, a)
	swapped := envelope{Signatures: p.Countersignatures, Countersignatures: p.Signatures}
	const typ = ` has a typ that is not expected here: compare the key with that of the signer`
	refused(t, keys, swapped.on(t, a), `b/.signatures.json: signature_error: the signature by key "rob"`+typ)
	twice := envelope{Signatures: p.Signatures, Countersignatures: p.Signatures}
	refused(t, keys, twice.on(t, a), `b/.signatures.json: signature_error: countersignature 1 by key "ann"`+typ)
}

func TestReviewed_DemandsASignatureThatNamesAReview(t *testing.T) {
	ann, rob := newPerson(t, "ann"), newPerson(t, "rob")
	keys := opened(t, signature.Config{Keys: []signature.Key{ann.key(t), rob.key(t)}, Reviewed: true})
	a := ann.sign(t, bundleOf(t, small))
	refused(t, keys, a,
		"b/.signatures.json: signature_error: no signature names a review: run sidecar bundle review, "+
			"and sign with sidecar bundle sign --reviewed REPORT")
	how := rob.signing()
	report := "sha256:" + testDigest
	how.Review = &signature.Review{Report: report}
	reviewed, err := signature.Countersign(a, how)
	if err != nil {
		t.Fatal(err)
	}
	if s := verified(t, keys, reviewed); s.Reviewed != report || len(s.Signers) != 2 {
		t.Errorf("signed %+v", s)
	}
}

func TestKeys_AreReadAgainWhenTheirFilesChange(t *testing.T) {
	old, next := newPerson(t, "release"), newPerson(t, "release")
	key := old.key(t)
	keys := opened(t, signature.Config{Keys: []signature.Key{key}})
	a := bundleOf(t, small)
	verified(t, keys, old.sign(t, a))
	testkit.WriteFile(t, key.File, old.public+next.public) // both, while the bundles are signed anew
	verified(t, keys, old.sign(t, a))
	verified(t, keys, next.sign(t, a))
	testkit.WriteFile(t, key.File, "no key")
	verified(t, keys, next.sign(t, a)) // the former ones stay
	if changed, err := keys.Look(); changed || err != nil {
		t.Errorf("the same fault is told again: %v", err)
	}
	testkit.WriteFile(t, key.File, next.public)
	if changed, err := keys.Look(); !changed || err != nil {
		t.Errorf("changed %v, error %v", changed, err)
	}
	refused(t, keys, old.sign(t, a),
		`b/.signatures.json: signature_error: the signature by key "release" does not hold: `+
			"compare the key with that of the signer")
}

func TestSign_SaysWhen(t *testing.T) {
	ann := newPerson(t, "ann")
	how := ann.signing()
	how.Now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	a, err := signature.Sign(bundleOf(t, small), how)
	if err != nil {
		t.Fatal(err)
	}
	stated, err := signature.State(a)
	if err != nil || len(stated) != 1 || !stated[0].At.Equal(how.Now) || stated[0].KeyID != "ann" ||
		stated[0].Digest != a.Digest {
		t.Errorf("%+v, error %v", stated, err)
	}
	payload := strings.Split(string(a.Signatures), ".")[1]
	claims, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || strings.Contains(string(claims), `"exp"`) || strings.Contains(string(claims), `"nbf"`) {
		t.Errorf("claims %s, error %v", claims, err)
	}
}
