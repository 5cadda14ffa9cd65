package engine

import (
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// metadata is a policy whose decision has a custom.token.
func metadata(token string) map[string]string {
	return map[string]string{"policies/authz.rego": "package authz\n\n# METADATA\n# entrypoint: true\n# custom:\n#  " +
		" token: " + token + "\ndecision := true\n"}
}

func TestMetadataOfAnEntrypointStatesFreshness(t *testing.T) {
	for token, want := range map[string]authz.Freshness{
		`{mode: introspect, max_age: 0s}`: {Mode: "introspect", Limited: true},
		`{max_age: 1m30s}`:                {MaxAge: 90 * time.Second, Limited: true},
		`{max_age: "0"}`:                  {Limited: true},
		`{mode: jwt_then_introspect}`:     {Mode: "jwt_then_introspect"},
		"\n#     mode: jwt":               {Mode: "jwt"},
	} {
		p, err := compiled(t, patient, metadata(token))
		if err != nil {
			t.Fatalf("%s: %v", token, err)
		}
		if got := p.Freshness(decisionPath); got != want {
			t.Errorf("%s: %+v, want %+v", token, got, want)
		}
	}
}

func TestAnEntrypointWithoutMetadataHasNoFreshness(t *testing.T) {
	p := policy(t, patient, "decision := true\n")
	if p.Freshness(decisionPath) != (authz.Freshness{}) || p.Freshness("no/such") != (authz.Freshness{}) {
		t.Error("something is demanded")
	}
}

func TestFreshnessOfANamedEntrypointFollowsTheScopeOfItsRule(t *testing.T) {
	p, err := compiled(t, Config{Deadline: time.Minute, Entrypoints: []string{"b/named"}},
		beside("package b\n\n# METADATA\n# custom: {token: {max_age: 1s}}\ndefault named := false\n\nnamed if "+
			"input.token.active\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Freshness("b/named"); got != (authz.Freshness{MaxAge: time.Second, Limited: true}) {
		t.Errorf("freshness %+v", got)
	}
	if got := p.Freshness(decisionPath); got != (authz.Freshness{}) {
		t.Errorf("another entrypoint asks for %+v", got)
	}
}

func TestMalformedTokenMetadataIsAProblemAtItsPlace(t *testing.T) {
	const at = "policies/authz.rego:3:1: metadata_error: custom.token of data.authz.decision "
	for token, want := range map[string]string{
		`{}`:         "is not an object with mode or max_age",
		`introspect`: "is not an object with mode or max_age",
		`[mode]`:     "is not an object with mode or max_age",
		`{mode: magic}`: "has a mode that is not one of introspect, jwt, jwt_then_introspect, " +
			"introspect_opaque",
		`{mode: ""}`: "has a mode that is not one of introspect, jwt, jwt_then_introspect, " +
			"introspect_opaque",
		`{mode: [introspect]}`: "has a mode that is not one of introspect, jwt, jwt_then_introspect, " +
			"introspect_opaque",
		`{max_age: 0}`:                 "has a max_age that is not a duration with a unit, from 0s to 24h",
		`{max_age: -1s}`:               "has a max_age that is not a duration with a unit, from 0s to 24h",
		`{max_age: 25h}`:               "has a max_age that is not a duration with a unit, from 0s to 24h",
		`{max_age: soon}`:              "has a max_age that is not a duration with a unit, from 0s to 24h",
		`{max_age: null}`:              "has a max_age that is not a duration with a unit, from 0s to 24h",
		`{maxage: 0s}`:                 `has a member "maxage", want mode or max_age`,
		`{mode: introspect, fresh: 1}`: `has a member "fresh", want mode or max_age`,
	} {
		refused(t, patient, metadata(token), at+want)
	}
}

func TestTokenMetadataThatWouldHaveNoEffectIsAProblem(t *testing.T) {
	for text, want := range map[string]string{
		"package b\n\n# METADATA\n# custom: {token: {max_age: 0s}}\nx := true\n":                           "policies/other.rego:3:1: metadata_error: custom.token of data.b.x has no effect: write it on an entrypoint",
		"# METADATA\n# custom: {token: {max_age: 0s}}\npackage b\n\nx := true\n":                           "policies/other.rego:1:1: metadata_error: custom.token of data.b has no effect: write it on an entrypoint",
		"# METADATA\n# scope: subpackages\n# custom: {token: {max_age: 0s}}\npackage authz\n\nx := true\n": "policies/other.rego:1:1: metadata_error: custom.token of data.authz has no effect: write it on an entrypoint",
		"package authz\n\n# METADATA\n# custom: {token: {max_age: 0s}}\nx[\"decision\"] := true\n":         `policies/other.rego:3:1: metadata_error: custom.token of data.authz.x.decision has no effect: write it on an entrypoint`,
	} {
		refused(t, patient, beside(text), want)
	}
}

func TestTokenMetadataWrittenTwiceIsAProblem(t *testing.T) {
	refused(t, patient, map[string]string{"policies/authz.rego": `package authz

# METADATA
# custom: {token: {max_age: 0s}}
decision if input.token.active

# METADATA
# custom: {token: {max_age: 1h}}
decision if input.token.present
`}, "policies/authz.rego:7:1: metadata_error: custom.token of data.authz.decision is there twice: write it once, with scope: document")
}

func TestAModeThatNoIssuerSupportsIsAProblem(t *testing.T) {
	cfg := Config{Deadline: time.Minute, TokenModes: []authz.Mode{"introspect"}}
	refused(t, cfg, metadata("{mode: jwt}"),
		"policies/authz.rego:3:1: metadata_error: custom.token of data.authz.decision wants mode jwt, which no "+
			"configured issuer can do")
	if _, err := compiled(t, cfg, metadata("{mode: introspect}")); err != nil {
		t.Error(err)
	}
}
