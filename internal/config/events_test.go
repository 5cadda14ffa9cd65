package config

import (
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const withIssuers = `issuers:
  - {name: acme, issuer: "https://login.acme.example", client: {id: a, secret: {file: client-secret}}}
`

func TestEventsNeedAConfiguredIssuer(t *testing.T) {
	inDirectory(t)
	const logout = ", backchannel_logout: {audience: [web]}}\n"
	wantFaults(t, faults(t, withIssuers+"events:\n  - {issuer: acme"+logout))
	wantFaults(t, faults(t, withIssuers+"events:\n  - {issuer: acne"+logout+"  - {issuer: acme"+logout+
		"  - {issuer: acme"+logout+"  - {issuer: acme}\n"),
		`sidecar.yaml:4: events[0].issuer: "acne" is no configured issuer`,
		`sidecar.yaml:6: events[2].issuer: "acme" has an item already`,
		`sidecar.yaml:7: events[3]: takes no events at all`,
		`sidecar.yaml:7: events[3].issuer: "acme" has an item already`,
	)
}

func TestEventsNeedAnIssuerIdentifier(t *testing.T) {
	inDirectory(t)
	wantFaults(t, faults(t, `issuers:
  - {name: acme, introspection_endpoint: "https://login.acme.example/introspect", client: {id: a, secret: {file: client-secret}}}
events:
  - {issuer: acme, keycloak_admin: {client_id: a}}
`), `sidecar.yaml:4: events[0].issuer: "acme" has no issuer identifier to compare with the iss of events`)
}

func TestEventsHaveTheirDefaults(t *testing.T) {
	inDirectory(t)
	mkdir(t, "run")
	testkit.WriteFile(t, "run/header", "Bearer x\n")
	c := parse(t, withIssuers+`events:
  - issuer: acme
    shared_signals: {delivery: push, endpoint_url: "https://sidecar.example/v1/events/acme/shared-signals", authorization: {file: run/header}}
`)
	s := c.Events[0].SharedSignals
	if s.Manage != "create" || len(s.Scope) != 2 || s.DownTTL.String() != "5s" || s.Algorithms[0] != "RS256" ||
		c.Events[0].Sessions != "unknown" {
		t.Errorf("%+v", c.Events[0])
	}
}
