package config

import (
	"fmt"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
)

// checkCredentials reports headers that carry tokens by the configuration, and that policies would see or that would
// choose issuers.
func (c Config) checkCredentials(fault func(key, cause, hint string)) {
	carriers := []string{c.Decision.Credential.Header, c.Listen.GRPC.Credential.Header}
	for _, l := range c.Listen.ForwardAuth {
		carriers = append(carriers, l.Credential.Header)
	}
	for _, place := range issuer.Places(c.Issuers) {
		carriers = append(carriers, place.Header)
	}
	carries := func(name string) bool {
		return slices.ContainsFunc(carriers, func(h string) bool { return h != "" && httpuri.SameVariable(h, name) })
	}
	for _, name := range c.Input.Headers {
		if carries(name) {
			fault("input.headers", name+" carries tokens by a key credential: policies never see it",
				"use the facts under input.token instead")
		}
	}
	for i, is := range c.Issuers {
		if name := is.Match.Header; name != "" && carries(name) {
			fault(fmt.Sprintf("issuers[%d].match.header", i),
				name+" carries tokens by a key credential: no issuer is chosen by it",
				"choose by another header, or by match.hosts")
		}
	}
}
