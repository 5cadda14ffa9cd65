package ssf

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/signals"
)

// ServeHTTP receives a security event token by HTTP push: RFC 8935. The event is in force before the response is sent;
// a repetition gets the same response.
func (s *Stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	err := s.receivePush(r)
	if err == nil {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	s.recorder.Reject(err)
	if e, ok := errors.AsType[*setError](err); ok {
		w.Header().Set("Content-Language", "en")
		signals.WriteJSON(w, http.StatusBadRequest, map[string]string{"err": e.code, "description": e.description})
		return
	}
	retry := time.Second
	if e, ok := errors.AsType[*authz.Error](err); ok {
		retry = max(retry, e.RetryAfter)
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(retry.Round(time.Second)/time.Second)))
	w.WriteHeader(http.StatusServiceUnavailable)
}

func (s *Stream) receivePush(r *http.Request) error {
	// Digests are compared, so that the time does not depend on the length either.
	sum := sha256.Sum256([]byte(r.Header.Get("Authorization")))
	if subtle.ConstantTimeCompare(sum[:], s.header[:]) != 1 || len(r.Header.Values("Authorization")) != 1 {
		return &setError{codeAuthentication, "the Authorization header is not that of the stream"}
	}
	if oauth.MediaType(r.Header) != "application/secevent+jwt" {
		return &setError{codeRequest, "the content type is not application/secevent+jwt"}
	}
	body, err := signals.ReadBody(r, signals.MaxTokenBytes)
	if err != nil {
		return &setError{codeRequest, "the body is too large, or broke off"}
	}
	if _, _, err = s.receive(r.Context(), body); err == nil {
		s.recordOK() // any valid token shows that the transmitter reaches the sidecar
	}
	return err
}
