package migrate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// bodyBytes is a length of bodies to begin with.
const bodyBytes = 65536

// configure says what the policies need of the configuration, as values and as YAML.
func (s *session) configure() {
	r := &s.report
	r.Headers = slices.Sorted(maps.Keys(s.need.headers))
	if s.need.body {
		r.BodyBytes = bodyBytes
	}
	var b strings.Builder
	b.WriteString("# What the policies here need. Name your authorization server; sidecar.example.yaml has every " +
		"key.\n" +
		"issuers:\n  - issuer: https://as.example\n    client: {id: this-api, auth: none}\n")
	b.WriteString("policies:\n  paths: [.]\n  ignore: [sidecar.yaml]\n")
	if len(r.Headers) > 0 || r.BodyBytes > 0 {
		b.WriteString("input:\n")
	}
	if len(r.Headers) > 0 {
		fmt.Fprintf(&b, "  headers: [%s]\n", strings.Join(r.Headers, ", "))
	}
	if r.BodyBytes > 0 {
		fmt.Fprintf(&b, "  body_bytes: %d # what a body has at most\n", r.BodyBytes)
	}
	if r.Entrypoint != "" {
		fmt.Fprintf(&b, "decision:\n  entrypoint: %s\n  token: required\n", r.Entrypoint)
	}
	r.Configuration = b.String()
}
