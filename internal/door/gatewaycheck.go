package door

import "net/http"

// gatewayMarks are the headers, in canonical form, by which gateways tell what a check is about, and which no proxy
// adds to a request that it merely forwards.
func gatewayMarks() []string {
	return []string{"X-Original-Method", "X-Original-Uri", "X-Original-Url", "X-Original-Scheme",
		"X-Auth-Request-Redirect", "X-Forwarded-Method", "X-Forwarded-Uri"}
}

// GatewayMark is the first header of a call that makes it the check of a gateway; "" is any other call. A gateway
// takes every answer of 200 for an allow, so that a check must meet none where nothing is decided.
func GatewayMark(header http.Header) string {
	for _, name := range gatewayMarks() {
		if len(header[name]) > 0 {
			return name
		}
	}
	return ""
}
