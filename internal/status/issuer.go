package status

import "time"

// Issuer is the state of one authorization server, as the sidecar has met it.
type Issuer struct {
	Name   string `json:"name"`
	Issuer string `json:"issuer,omitzero"`
	// Mode is how its tokens are looked at, unless an entrypoint demands another mode.
	Mode string `json:"mode"`
	// Healthy is false while the sidecar cannot use the server, or its own credentials, as configured. Faults are all
	// reasons. As nothing is asked for the sake of the status, both are those of the latest attempt.
	Healthy bool    `json:"healthy"`
	Faults  []Fault `json:"faults,omitempty"`
	// Introspection is absent where the server cannot be asked.
	Introspection *Introspection `json:"introspection,omitempty"`
	// Metadata is absent where all endpoints are configured, Keys where no key set is needed, and Token where the
	// sidecar authenticates by something else than a token of its own.
	Metadata *Fetched `json:"metadata,omitempty"`
	Keys     *Fetched `json:"keys,omitempty"`
	Token    *Fetched `json:"token,omitempty"`

	CachedActive   int   `json:"cached_active"`
	CachedBytes    int64 `json:"cached_bytes"`
	CachedInactive int   `json:"cached_inactive"`
	// CachedCapacity is how many active answers fit that are like those cached, and CachedBound the key of the bound
	// that sets it: max_entries or max_bytes.
	CachedCapacity int    `json:"cached_capacity"`
	CachedBound    string `json:"cached_bound"`
	// Canary is why the sidecar's own token is not active at this server, since CanarySince, and empty while it is
	// active. The sidecar is not ready while one is set. CanaryOutcome is one of the Canary constants.
	Canary        string    `json:"canary,omitzero"`
	CanaryOutcome string    `json:"canary_outcome,omitzero"`
	CanarySince   time.Time `json:"canary_since,omitzero"`
}

// How a canary ended that did not come back.
const (
	// CanaryInactive: a token that the server issued to the sidecar a moment ago is not good, mostly because the
	// server calls it inactive.
	CanaryInactive = "inactive"
	// CanaryRefused: the server refuses the sidecar or its request.
	CanaryRefused = "refused"
)

// The parts that may be at fault.
const (
	PartIntrospection = "introspection"
	PartMetadata      = "metadata"
	PartKeys          = "keys"
	PartToken         = "token"
	PartCredentials   = "credentials"
	PartCanary        = "canary"
)

// Fault is a state that lasts, and that an operator may have to end.
type Fault struct {
	// Part is one of the Part constants.
	Part string `json:"part"`
	// Kind is unavailable where the server must act, and misconfigured where the operator of the sidecar must.
	Kind  string    `json:"kind"`
	Cause string    `json:"cause"`
	Since time.Time `json:"since,omitzero"`
}

// Introspection is how questions about tokens fare.
type Introspection struct {
	// LastAsked is when a question was last sent. LastAnswered is when an answer last came, also one that cannot be
	// used.
	LastAsked    time.Time `json:"last_asked,omitzero"`
	LastAnswered time.Time `json:"last_answered,omitzero"`
	// LastFault is the newest question without a usable answer, which may be over.
	LastFault *LastFault `json:"last_fault,omitempty"`
	Breaker   Breaker    `json:"breaker"`
	Limits    Limits     `json:"limits"`
}

// LastFault is a failure at a time.
type LastFault struct {
	At    time.Time `json:"at"`
	Kind  string    `json:"kind"`
	Cause string    `json:"cause"`
}

// Breaker is the state of a circuit breaker.
type Breaker struct {
	// State is closed, half_open or open, since the time Since.
	State string    `json:"state"`
	Since time.Time `json:"since"`
	// NextProbe is when the next question may go through; absent while the breaker is closed.
	NextProbe time.Time `json:"next_probe,omitzero"`
	// Capacity is how many questions may be in flight, while that is less than max_in_flight: after an outage it grows
	// with each answer.
	Capacity int `json:"capacity,omitzero"`
}

// Limits are what may refuse a question before it is sent.
type Limits struct {
	// Refusing lists the limits that refuse questions now, by the words of the label cause of
	// sidecar_introspect_refusals_total.
	Refusing []string `json:"refusing,omitempty"`
	InFlight Use      `json:"in_flight"`
	// UnknownTokens is the share of the burst that is used up; absent where no limit is set.
	UnknownTokens *Use `json:"unknown_tokens,omitempty"`
	// RetryAfter is until when nothing is asked because the server asked for a pause; absent without such a pause.
	RetryAfter time.Time `json:"retry_after,omitzero"`
}

// Use is how much of a limit is used.
type Use struct {
	Used  int `json:"used"`
	Limit int `json:"limit"`
}

// Fetched is the state of a value that is fetched from a server and kept.
type Fetched struct {
	// Fetched is when the value in use was asked for; absent while there is none.
	Fetched time.Time `json:"fetched,omitzero"`
	// Next is when it is fetched again, at the earliest.
	Next time.Time `json:"next,omitzero"`
	// Fault is why the newest attempt failed; absent when it did not.
	Fault *LastFault `json:"fault,omitempty"`
	// Since is when attempts began to fail; absent when the newest one did not.
	Since time.Time `json:"failing_since,omitzero"`
}
