package events

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

// push takes a security event token by HTTP: RFC 8935. The event is in force before the answer is sent; the answer to a
// repetition is the same.
func (s *stream) push(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	err := s.receive(r)
	if err == nil {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	s.sink.fail(err)
	if f, ok := errors.AsType[*fault](err); ok {
		w.Header().Set("Content-Language", "en")
		writeJSON(w, http.StatusBadRequest, map[string]string{"err": f.code, "description": f.why})
		return
	}
	retry := time.Second
	if e, ok := errors.AsType[*authz.Error](err); ok {
		retry = max(retry, e.RetryAfter)
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(retry.Round(time.Second)/time.Second)))
	w.WriteHeader(http.StatusServiceUnavailable)
}

func (s *stream) receive(r *http.Request) error {
	// Digests are compared, so that the time tells nothing about lengths either.
	sum := sha256.Sum256([]byte(r.Header.Get("Authorization")))
	if subtle.ConstantTimeCompare(sum[:], s.header[:]) != 1 || len(r.Header.Values("Authorization")) != 1 {
		return &fault{codeAuthentication, "the Authorization header is not that of the stream"}
	}
	if oauth.MediaType(r.Header) != "application/secevent+jwt" {
		return &fault{codeRequest, "the content type is not application/secevent+jwt"}
	}
	body, err := readBody(r, maxTokenBytes)
	if err != nil {
		return &fault{codeRequest, "the body is too large, or broke off"}
	}
	if _, _, err = s.take(r.Context(), body); err == nil {
		s.alive() // whatever it says, the transmitter reaches us
	}
	return err
}
