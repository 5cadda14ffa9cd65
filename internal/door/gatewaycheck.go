package door

import (
	"net/http"
	"strings"
)

// gatewayMarks are the headers, in canonical form, by which gateways tell what a check is about, and which no proxy
// adds to a request that it merely forwards.
var gatewayMarks = [...]string{"X-Original-Method", "X-Original-Uri", "X-Original-Url", "X-Original-Scheme",
	"X-Auth-Request-Redirect", "X-Forwarded-Method", "X-Forwarded-Uri"}

// GatewayMark says what makes a call the check of a gateway; "" is any other call. A gateway takes every answer of
// 200 for an allow, so that a check must meet none where nothing is decided.
func GatewayMark(r *http.Request) string {
	for _, name := range gatewayMarks {
		if len(r.Header[name]) > 0 {
			return "its header " + name
		}
	}
	if SpeaksGRPC(r) {
		return "gRPC"
	}
	return ""
}

// SpeaksGRPC reports whether a call is one of Envoy over gRPC: by its path, as the Content-Type of a check over HTTP
// may be the client's; or by the preface of HTTP/2, which net/http gives to the handlers as it came where TLS did not
// negotiate it.
func SpeaksGRPC(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/envoy.service.auth.") ||
		r.Method == "PRI" && r.RequestURI == "*" && r.ProtoMajor == 2
}
