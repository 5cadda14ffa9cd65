// Package signals holds what the receivers of revocation signals share. A signal says that tokens end before they
// expire: a logout (package backchannel), a security event (package ssf) or a message of Keycloak (package keycloak).
// Package receivers builds them and serves their paths.
//
// A signal evicts what is known about tokens. The issuer is asked again, and its answer counts where it can tell;
// otherwise the signal itself ends the token (package introspect). Each signal is authenticated by itself: it is
// accepted when the expected sender signed it for this receiver.
package signals

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/metrics"
)

// Evictor evicts what is known about tokens. It returns the number of answers evicted; an error means that the
// revocation is not in force.
type Evictor interface {
	Evict(r authz.Revocation) (int, error)
}

// Limiter caps how long answers of an issuer are used, on top of its configured lifetimes; 0 lifts the cap.
type Limiter interface {
	CapTTL(issuer string, lifetime time.Duration)
}

// Kinds of signals.
const (
	KindLogout        = "backchannel_logout"
	KindSharedSignals = "shared_signals"
	KindKeycloak      = "keycloak_admin"
)

// Outcomes of a signal.
const (
	Evicted     = "evicted"     // it is in force
	Ignored     = "ignored"     // it is valid and changes nothing
	Unmatched   = "unmatched"   // it is valid and names a subject by which no token can be found
	Duplicate   = "duplicate"   // it came before
	Refused     = "refused"     // it is not valid
	Unavailable = "unavailable" // it could not be verified or put in force, and should be sent again
)

// SessionsKnown is the value of the configuration key sessions for an issuer whose answers name the session of a
// token.
const SessionsKnown = "known"

// Deps is what receivers need from the rest of the program.
type Deps struct {
	// Evictor is required.
	Evictor Evictor
	// Limiter, Metrics and Log may be nil.
	Limiter Limiter
	Metrics metrics.Registerer
	Log     *slog.Logger
	// Now is the clock that claims are compared with; nil is time.Now.
	Now func() time.Time
	// Transport replaces the network when it is not nil.
	Transport http.RoundTripper
}

// WithDefaults returns d with what is nil replaced, except the Evictor.
func (d Deps) WithDefaults() Deps {
	if d.Limiter == nil {
		d.Limiter = discard{}
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	return d
}

// discard limits nothing.
type discard struct{}

func (discard) CapTTL(string, time.Duration) {}

// IsUnavailable reports whether a signal could not be verified or put in force, as opposed to being invalid.
func IsUnavailable(err error) bool {
	_, ok := errors.AsType[*authz.Error](err)
	return ok
}

// NewKeySet returns the keys of a sender. Anyone can send a signal that names an unknown key, and a valid signal may
// come only once: few requests wait for the fetch of a key set, and not for long.
func NewKeySet(name string, log *slog.Logger, fetch func(context.Context) ([]byte, error)) *jose.KeySet {
	return jose.NewKeySet(jose.KeySetConfig{
		Name: name, Log: log, Fetch: fetch, MaxWaiting: 64, MaxWait: 10 * time.Second,
	})
}

// CheckAlgorithms reports an empty list of accepted signature algorithms.
func CheckAlgorithms(algorithms []string, fault func(key, cause, hint string)) {
	if len(algorithms) == 0 {
		fault("algorithms", "is empty, which accepts nothing", "name those that the server signs with, such as RS256")
	}
}

// AlgorithmWords are the words of the key algorithms: those that only the holder of a private key can sign with
// (SET-4).
func AlgorithmWords(key string) []string {
	if key == "algorithms" {
		return jose.SignatureAlgorithms()
	}
	return nil
}
