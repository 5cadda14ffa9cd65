// Package status has the types in which the sidecar reports its own state, for every door that shows it.
package status

import "time"

// Report is everything that GET /v1/status answers, as its JSON.
type Report struct {
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	// Ready is false before the first policy serves, while a canary is not active, while policies are stale that make
	// the sidecar unready, and from the signal to stop on.
	Ready bool `json:"ready"`
	// Because is why Ready is false: one of the Because constants.
	Because string `json:"because,omitzero"`
	Policy  Policy `json:"policy"`
	// Sources are the policies that are archives.
	Sources   []Source   `json:"sources,omitempty"`
	Listeners []Listener `json:"listeners"`
	Issuers   []Issuer   `json:"issuers"`
	Events    []Event    `json:"events,omitempty"`
	// UpstreamToken is absent where no identity is signed.
	UpstreamToken *UpstreamToken `json:"upstream_token,omitempty"`
	DecisionLog   DecisionLog    `json:"decision_log"`
}

// UpstreamToken is the state of the signed identity for applications.
type UpstreamToken struct {
	// Healthy is false while the files of the keys have a content that cannot be used: the former keys sign. Faults
	// are why.
	Healthy bool    `json:"healthy"`
	Faults  []Fault `json:"faults,omitempty"`
	Issuer  string  `json:"issuer"`
	// KeyID is the key that signs, and Published are all in the key set. Since is when these keys were read.
	KeyID     string    `json:"kid"`
	Algorithm string    `json:"alg"`
	Published []string  `json:"published"`
	Since     time.Time `json:"since"`
	// Signed and Reused count allows with a new token, and with one that was made before for equal claims. None are
	// those without claims or without a token, Failed those that were refused because nothing could be signed.
	Signed uint64 `json:"signed"`
	Reused uint64 `json:"reused"`
	None   uint64 `json:"none"`
	Failed uint64 `json:"failed"`
}

// Why the sidecar is not ready.
const (
	BecauseStarting = "starting"
	BecauseStopping = "stopping"
	BecauseCanary   = "canary"
	BecauseStale    = "policy_stale"
)

// Policy is the policy that decides, and the errors of the one on disk.
type Policy struct {
	// Healthy is false while the files on disk do not load or keep changing, in which case the last loaded policy goes
	// on deciding, and while the deciding policy gives no verdict for many requests.
	Healthy     bool              `json:"healthy"`
	Revision    string            `json:"revision"`
	Digest      string            `json:"digest"`
	Bundles     map[string]string `json:"bundles"`
	Entrypoints []string          `json:"entrypoints"`
	Activated   time.Time         `json:"activated"`
	// FailedAt is the time of the newest load, if it failed. WaitingSince is the time of the first change on disk that
	// is not loaded yet, if that is long ago. Errors are all reasons why Healthy is false.
	FailedAt     time.Time `json:"failed_at,omitzero"`
	WaitingSince time.Time `json:"waiting_since,omitzero"`
	Errors       []Problem `json:"errors,omitempty"`
	// Gates is what the gates said last; nil while none was asked.
	Gates *Gates `json:"gates,omitempty"`
	// Evaluations counts the evaluations since Activated, and Misconfigured those of them that gave no verdict.
	Evaluations   uint64 `json:"evaluations_since_activation"`
	Misconfigured uint64 `json:"misconfigured_since_activation"`
	// Memo is how much the policy remembers of its verdicts; absent when it remembers none.
	Memo *Memo `json:"memo,omitempty"`
	// RunawayCalls is the number of builtin calls that run now although their evaluation is over; RunawayCallsTotal
	// counts all of them since the start.
	RunawayCalls      int64 `json:"runaway_calls"`
	RunawayCallsTotal int64 `json:"runaway_calls_total"`
}

// Memo is how much is remembered, of what may be. The bound that is nearer to its limit binds.
type Memo struct {
	Entries Use `json:"entries"`
	Bytes   Use `json:"bytes"`
}

// Problem is one error of the policies on disk. Text is the line that "sidecar check" prints.
type Problem struct {
	File    string `json:"file"`
	Row     int    `json:"row,omitzero"`
	Col     int    `json:"col,omitzero"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Text    string `json:"text"`
}

// Gates is what the gates said of policies that compile.
type Gates struct {
	// Digest is that of the policies that they were asked about, which may decide or not: see Admitted.
	Digest   string    `json:"digest"`
	Asked    time.Time `json:"asked"`
	Admitted bool      `json:"admitted"`
	// Gates are those that are not off, in their order.
	Gates []Gate `json:"gates"`
}

// Gate is what one gate said.
type Gate struct {
	// Name is capabilities, tests or replay; Mode is warn or refuse; Outcome is passed, warned or refused.
	Name    string `json:"gate"`
	Mode    string `json:"mode"`
	Outcome string `json:"outcome"`
	// Message says it in one sentence.
	Message string `json:"message"`
	// Findings are why it did not pass.
	Findings []GateFinding `json:"findings,omitempty"`
	Seconds  float64       `json:"seconds"`
}

// GateFinding is one reason of a gate.
type GateFinding struct {
	// Class is one of a closed set: test_failed, coverage, host, deny_to_allow, ...
	Class   string `json:"class"`
	Message string `json:"message"`
	File    string `json:"file,omitzero"`
	Row     int    `json:"row,omitzero"`
	// Examples are some of the decisions that it is about.
	Examples []GateExample `json:"examples,omitempty"`
}

// GateExample is a recorded decision that new policies would make otherwise.
type GateExample struct {
	DecisionID string `json:"decision_id"`
	// Entrypoint is what was asked; Was and Now are kinds of decisions: allow, deny, ...
	Entrypoint string `json:"entrypoint"`
	Was        string `json:"was"`
	Now        string `json:"now"`
}

// Listener is an address on which the sidecar is called.
type Listener struct {
	// Name is its section of the configuration below listen. Address has the port that it got for port 0.
	Name    string `json:"name"`
	Address string `json:"address"`
	// CertificateExpires is absent without TLS.
	CertificateExpires time.Time `json:"certificate_expires,omitzero"`
	// Faults say why changed files are not in use; Part is tls or bearer_keys.
	Faults []Fault `json:"faults,omitempty"`
}

// Event is the state of one source of revocation events of an issuer.
type Event struct {
	Issuer    string    `json:"issuer"`
	Kind      string    `json:"kind"`
	LastEvent time.Time `json:"last_event,omitzero"`
	Refused   int64     `json:"refused"`
	Errors    int64     `json:"errors"`
	// Stream is set for shared_signals only.
	Stream *Stream `json:"stream,omitempty"`
}

// Stream is the state of a stream of security events.
type Stream struct {
	// State is up, down, or unwatched when no verification event is asked for.
	State    string    `json:"state"`
	LastOK   time.Time `json:"stream_last_ok,omitzero"`
	Verified time.Time `json:"verified,omitzero"`
	ID       string    `json:"id,omitzero"`
	// Status is the status that the transmitter reports: enabled, paused or disabled.
	Status  string `json:"status,omitzero"`
	Problem string `json:"problem,omitzero"`
}

// DecisionLog is the state of the decision log.
type DecisionLog struct {
	Enabled bool `json:"enabled"`
	// Queued events wait to be written; QueuedBytes estimates their memory.
	Queued      int   `json:"queued"`
	QueuedBytes int64 `json:"queued_bytes"`
	// Written and Dropped count events since the start.
	Written uint64 `json:"written"`
	Dropped uint64 `json:"dropped"`
	// LastError is the newest error of writing or masking the log, which may be over.
	LastError   string    `json:"last_error,omitzero"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
	Sinks       []Sink    `json:"sinks,omitempty"`
}

// Sink is the state of one output of the decision log.
type Sink struct {
	// Kind is file or stdout.
	Kind    string `json:"kind"`
	Healthy bool   `json:"healthy"`
	// Error is why nothing can be written, since the time Since.
	Error string    `json:"error,omitzero"`
	Since time.Time `json:"since,omitzero"`
}
