package envoy.authz

import input.attributes.request.http

default allow = false

allow {
	http.method == "GET"
	input.parsed_path == ["tools"]
	http.headers["x-team"] == "blue"
}
