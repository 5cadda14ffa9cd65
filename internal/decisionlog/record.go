package decisionlog

import (
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// Appender is a JSON value that can write itself. It is immutable: AppendJSON is called after the request it belongs
// to has been answered, from one goroutine, once or more.
type Appender interface {
	// AppendJSON appends one JSON value to dst and returns the extended buffer. After an error the value is left out
	// of the event.
	AppendJSON(dst []byte) ([]byte, error)
}

// The types of records that are no decision by the document: they are not decided anew. That of filters is OPA's.
const (
	TypeFilter = "open-policy-agent/compile"
	TypeQuery  = "query"
	// TypeCallerInput is a question whose input is the caller's own.
	TypeCallerInput = "caller_input"
)

// Record is one decision, as the request path knew it. It belongs to the Log from the moment it is written:
// neither it nor anything it holds is changed afterwards. No member ever holds a token or a secret.
type Record struct {
	DecisionID string
	// Time is when the decision was taken.
	Time time.Time
	// Type tells an answer that is no decision from one: see TypeFilter. It is empty for a decision.
	Type string
	// Path is the entrypoint without "data" or a leading slash: "authz/decision".
	Path string
	// Bundles are by their names. One map is shared by all records of one snapshot.
	Bundles map[string]authz.BundleRef
	// Input is the document the policy read and Result what it returned; nil when there was none.
	Input  Appender
	Result Appender

	Kind authz.Kind
	// Status is what a gateway should answer the caller.
	Status       int
	Reasons      []authz.Reason
	PolicyDigest string
	// Introspection says where the claims came from.
	Introspection Introspection
	// RequestedBy is the address of the caller; empty when it is not known.
	RequestedBy string
	// TraceID and SpanID are lower-case hex (W3C Trace Context section 3.2.2); empty without a trace.
	TraceID string
	SpanID  string

	// Total, Introspect and Eval are the time the whole decision, the introspection and the evaluation took.
	// A zero Introspect or Eval did not happen, and is left out of the event.
	Total      time.Duration
	Introspect time.Duration
	Eval       time.Duration

	// Unauthenticated is why there is no usable token, from a closed set; empty for other kinds.
	Unauthenticated string
	// UpstreamTokenID is the jti of the token for the upstream; empty when there is none.
	UpstreamTokenID string
	// Cause is why there is no verdict, for operators; nil when a policy decided.
	Cause error
	// Masker masks the event; nil leaves it as it is.
	Masker Masker

	size int64 // what it costs to keep, once it is written
}

// Sized is an Appender that knows what it costs to keep.
type Sized interface {
	// Size is its memory in bytes, estimated.
	Size() int
}

// recordBytes is what a record costs besides its input and its result.
const recordBytes = 1 << 10

// cost is the memory of r in bytes, estimated.
func (r *Record) cost() int64 {
	n := recordBytes
	for _, part := range [...]Appender{r.Input, r.Result} {
		if s, ok := part.(Sized); ok {
			n += s.Size()
		}
	}
	for i := range r.Reasons {
		n += len(r.Reasons[i].Message) + len(r.Reasons[i].Object)
	}
	return int64(n)
}

// Introspection says where the claims of a decision came from.
type Introspection string

// The sources of claims.
const (
	// Hit is an answer from the cache.
	Hit Introspection = "hit"
	// Miss is an answer from the authorization server, or a failure to get one.
	Miss Introspection = "miss"
	// None is a decision that needed no claims.
	None Introspection = "none"
)

// Masker decides what of an event may be written: data.system.log.mask and data.system.log.drop.
type Masker interface {
	// Mask reads one event, a JSON object, and must not keep it. It runs in the goroutine of the Log. The text of its
	// error is written to the event: it names rules and places, never values.
	Mask(event []byte) (authz.Mask, error)
}
