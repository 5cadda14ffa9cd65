package native

// errorCode is a code of a call error: its one status, and what it means.
type errorCode struct {
	code   string
	status int
	about  string
}

// callErrors lists the codes of all call errors of this door. A test compares them with the sources and docs/api.md.
func callErrors() []errorCode {
	return []errorCode{
		{"bad_json", 400, "the body is not well-formed JSON in UTF-8; the message has the row and the column"},
		{"duplicate_member", 400, "a member occurs twice"},
		{"unknown_member", 400, "there is no such member; the message has the nearest name, or all"},
		{"wrong_type", 400, "the member has another type; the message has the one that is wanted"},
		{"missing_member", 400, "the member is missing, or an empty string where one is needed"},
		{"too_deep", 400, "context nests deeper than 64"},
		{"number_out_of_range", 400, "a number in context has an exponent, or a count of digits, over 10000"},
		{"incomplete_body", 400, "the connection ended before the body did"},
		{"bad_token", 400, "token has a scheme or blanks in it"},
		{"nothing_named", 400, "no token is named, or others beside all"},
		{"unknown_issuer", 400, "no issuer of the configuration has this name or identifier"},
		{"issuer_needed", 400, "sub and username need issuer where there are several issuers"},
		{"unauthorized", 401, "the listener wants a caller key as Authorization: Bearer"},
		{"foreign_origin", 403, "the call comes from a web page of another origin"},
		{"unknown_entrypoint", 404, "no policy may be asked by this path; the message lists those that may"},
		{"not_found", 404, "the listener has no such path; the message has the nearest"},
		{"method_not_allowed", 405, "the path takes other methods, which Allow and the message list"},
		{"body_too_slow", 408, "the body did not arrive within limits.read_timeout"},
		{"body_too_large", 413, "the body is over limits.body_bytes"},
		{"batch_too_large", 413, "the batch has more items than limits.batch_items"},
		{"unsupported_media_type", 415, "the body is not application/json, or has a Content-Encoding"},
		{"gateway_check", 421, "the call is the check of a gateway, and this listener decides none"},
		{"unknown_host", 421, "Host is no name of this listener"},
		{"too_many_calls", 429, "the caller is over limits.per_caller of the listener"},
		{"too_many_explanations", 429, "two explanations are being made"},
		{"internal_error", 500, "the sidecar has a bug"},
	}
}

func codeNamed(code string) errorCode {
	for _, c := range callErrors() {
		if c.code == code {
			return c
		}
	}
	return errorCode{}
}
