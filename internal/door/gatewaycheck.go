package door

import "net/http"

// gatewayMarks are the headers, in canonical form, by which gateways tell what a check is about, and which no proxy
// adds to a request that it merely forwards.
func gatewayMarks() []string {
	return []string{"X-Original-Method", "X-Original-Uri", "X-Original-Url", "X-Original-Scheme",
		"X-Auth-Request-Redirect", "X-Forwarded-Method", "X-Forwarded-Uri"}
}

// GatewayMark says what makes a call the check of a gateway; "" is any other call. A gateway takes every answer of
// 200 for an allow, so that a check must meet none where nothing is decided.
func GatewayMark(r *http.Request) string {
	for _, name := range gatewayMarks() {
		if len(r.Header[name]) > 0 {
			return "its header " + name
		}
	}
	if SpeaksGRPC(r) {
		return "the first bytes of HTTP/2, which gRPC speaks"
	}
	return ""
}

// SpeaksGRPC reports whether a call is the preface of HTTP/2 without TLS, as Envoy sends it to ask over gRPC. net/http
// gives it to the handlers as it came.
func SpeaksGRPC(r *http.Request) bool { return r.Method == "PRI" && r.ProtoMajor == 2 }
