package door

import "strings"

// partialBody is the header in which Envoy says whether it sent the beginning of the body alone.
const partialBody = "x-envoy-auth-partial-body"

// SaysPartialBody reports whether Envoy says in the headers of a check, by lower-case names, that the body in it is
// only the beginning of what the upstream gets.
func SaysPartialBody(headers map[string][]string) bool {
	for _, v := range headers[partialBody] {
		if strings.Contains(strings.ToLower(v), "true") { // Envoy joins its value to one of the client
			return true
		}
	}
	return false
}
