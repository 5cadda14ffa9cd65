package config

import (
	"slices"
	"strings"
	"testing"
)

// second is another issuer after oneIssuer, whose item begins on line 4.
const second = `  - name: second
    issuer: https://login.globex.example
    client: {id: api, secret: {file: client-secret}}
`

func TestSeveralIssuersAreConfigured(t *testing.T) {
	inDirectory(t)
	c := parse(t, oneIssuer+second+"    match: {prefixes: [gx_], header: x-tenant, values: [globex]}\n")
	if len(c.Issuers) != 2 || c.Issuers[1].Match.Prefixes[0] != "gx_" || c.Issuers[1].Match.Values[0] != "globex" {
		t.Errorf("issuers are %+v", c.Issuers)
	}
}

func TestIssuersThatCannotBeToldApartAreFaults(t *testing.T) {
	inDirectory(t)
	for name, c := range map[string]struct{ src, fault string }{
		"one name": {oneIssuer + strings.Replace(second, "second", "default", 1),
			`sidecar.yaml:4: issuers[1].name: "default" is the name of issuers[0] too`},
		"one iss": {oneIssuer + strings.Replace(second, "globex", "acme", 1),
			`sidecar.yaml:4: issuers[1].match: issuers "second" and "default" both take tokens whose iss is "https://login.acme.example"`},
		"two defaults": {oneIssuer + "    match: {default: true}\n" + second + "    match: {default: true}\n",
			`sidecar.yaml:8: issuers[1].match.default: issuers "second" and "default" are both the default`},
		"one opaque token": {oneIssuer + "    match: {prefixes: [a_]}\n" + second +
			"    match:\n      prefixes: [a_b]\n",
			`sidecar.yaml:8: issuers[1].match: one opaque token can be of issuer "second" and of issuer "default"`},
		"a rule of one alone": {oneIssuer + "    match: {hosts: ['*.acme.example']}\n",
			`sidecar.yaml:4: issuers[0].match.hosts[0]: "*.acme.example" is no host`},
		"a credential": {oneIssuer + "    match: {header: Authorization, values: [x]}\n",
			"sidecar.yaml:4: issuers[0].match.header: Authorization may hold a credential: no issuer is chosen by it"},
	} {
		t.Run(name, func(t *testing.T) { wantFaults(t, faults(t, c.src), c.fault) })
	}
}

func TestAKeyThatWasRemovedIsAFaultWithARemedy(t *testing.T) {
	inDirectory(t)
	_, err := Parse("sidecar.yaml", []byte(oneIssuer+"decision:\n  routes: [{max_age: 0s}]\n"), nil)
	want := "sidecar.yaml:5:3: decision.routes: unknown key"
	if err == nil || !strings.HasPrefix(err.Error(), want) ||
		!strings.Contains(err.Error(), "metadata of an entrypoint") {
		t.Errorf("got %v, want %s and its remedy", err, want)
	}
}

func TestAKeyThatWasRenamedIsAFaultThatNamesTheNewOne(t *testing.T) {
	inDirectory(t)
	_, err := Parse("sidecar.yaml", []byte(oneIssuer+"proof:\n  mtls:\n    trusted_hops: [unix]\n"), nil)
	want := "sidecar.yaml:6:5: proof.mtls.trusted_hops: unknown key\n  hint: write trusted_proxies, which means the " +
		"same"
	if err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	_, err = Parse("sidecar.yaml", []byte(oneIssuer), []string{"SIDECAR_PROOF_MTLS_TRUSTED_HOPS=unix"})
	want = "environment SIDECAR_PROOF_MTLS_TRUSTED_HOPS: names no key of the configuration\n" +
		"  hint: write trusted_proxies, which means the same"
	if err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}

func TestAVariableBelowARemovedListIsToldTheRemedy(t *testing.T) {
	inDirectory(t)
	_, err := Parse("sidecar.yaml", []byte(oneIssuer), []string{"SIDECAR_DECISION_ROUTES_0_MODE=jwt"})
	want := "environment SIDECAR_DECISION_ROUTES_0_MODE: names no key of the configuration\n  hint: write mode and " +
		"max_age "
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error is %v, want %s", err, want)
	}
}

func TestAnEmptyItemIsAllowedWhereTheTagSaysSo(t *testing.T) {
	inDirectory(t)
	want := []string{"", "JWT"}
	for name, c := range map[string]*Config{
		"the file":    parse(t, oneIssuer+"    jwt: {types: ['', JWT]}\n"),
		"a variable":  parse(t, oneIssuer, "SIDECAR_ISSUERS_0_JWT_TYPES=,JWT"),
		"an item":     parse(t, oneIssuer, "SIDECAR_ISSUERS_0_JWT_TYPES_0=", "SIDECAR_ISSUERS_0_JWT_TYPES_1=JWT"),
		"what prints": parse(t, printed(t, parse(t, oneIssuer+"    jwt: {types: ['', JWT]}\n"))),
	} {
		if got := c.Issuers[0].JWT.Types; !slices.Equal(got, want) {
			t.Errorf("%s: types are %q", name, got)
		}
	}
}
