package config

import "testing"

func TestAHeaderThatCarriesTokensIsNoFactOfRequests(t *testing.T) {
	inDirectory(t)
	const carrier = "decision:\n  credential: {header: X-My-Token}\n"
	for name, c := range map[string]struct{ src, fault string }{
		"policies would see it": {oneIssuer + carrier + "input: {headers: [x_my_token]}\n",
			"sidecar.yaml:6: input.headers: x_my_token carries tokens by a key credential: policies never see it"},
		"policies would see that of an issuer": {oneIssuer + "    credential: {header: X-Partner-Token}\n" +
			"input: {headers: [x-partner-token]}\n",
			"sidecar.yaml:5: input.headers: x-partner-token carries tokens by a key credential: policies never see it"},
		"it would choose an issuer": {oneIssuer + "    match: {header: x-my-token, values: [x]}\n" + carrier,
			"sidecar.yaml:4: issuers[0].match.header: x-my-token carries tokens by a key credential: no issuer is chosen by it"},
	} {
		t.Run(name, func(t *testing.T) { wantFaults(t, faults(t, c.src), c.fault) })
	}
}
