package devissuer

import (
	"net/http"
	"net/url"
	"time"

	"github.com/authz-sidecar/sidecar/internal/fetch"
)

// inactive is the whole answer about a token that is unknown, expired, revoked, or hidden from the caller:
// RFC 7662 section 2.2 wants no reason.
const inactive = `{"active":false}`

// introspect is the introspection endpoint: RFC 7662 section 2. A token_type_hint changes nothing, as there is one
// type.
func (s *Server) introspect(r *http.Request, who *party, form url.Values) ([]byte, *problem) {
	if !form.Has("token") {
		return nil, invalidRequest("token is missing")
	}
	if !fetch.Sleep(r.Context(), s.latency) {
		panic(http.ErrAbortHandler) // the client has left
	}
	now := time.Now()
	e := s.tokens.find(digestOf(form.Get("token")), now)
	if e == nil || !e.live(now) || !who.mayKnow(e.audience) {
		return []byte(inactive), nil
	}
	return e.answer, nil
}

// revoke is the revocation endpoint: RFC 7009 section 2. A token that is not known is revoked already.
func (s *Server) revoke(_ *http.Request, who *party, form url.Values) ([]byte, *problem) {
	if !form.Has("token") {
		return nil, invalidRequest("token is missing")
	}
	e := s.tokens.find(digestOf(form.Get("token")), time.Now())
	if e == nil {
		return nil, nil
	}
	if e.clientID != who.id {
		return nil, &problem{status: http.StatusBadRequest, code: "invalid_grant",
			description: "the token was issued to another client"}
	}
	s.tokens.remove(e)
	return nil, nil
}
