// Package authz has the types that all other packages share, such as Query, Claims and Decision. It does no work.
package authz

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Query is one access question, stripped of its transport.
type Query struct {
	// Entrypoint is the policy asked, as a path without "data": "authz/decision". Empty means the configured default.
	Entrypoint string
	// Request is the HTTP request that is asked about. It is the zero Request when the question is about none: then
	// Action and Resource say what is asked.
	Request Request
	// Subject, Action and Resource are the entities of AuthZEN 1.0 section 5; nil when the caller named none. Subject
	// is what the caller says, and the token what its issuer says: policies compare the two.
	Subject  *Entity
	Action   *Action
	Resource *Entity
	// Searched is the entity that a search is for: "subject", "resource" or "action" (AuthZEN 1.0 section 8). That
	// entity has no ID, and a searched action is nil. It is empty when the question is no search.
	Searched string
	// Token is a credential given beside the request instead of inside its headers.
	Token secret.Text
	// Tokens says whether the query may be without a token; "" is the configured rule.
	Tokens TokenRule
	// Place is where the credential is in the headers of the request, of whichever issuer it is; the zero Place is
	// what the configuration says: decision.credential, and credential of each issuer.
	Place Place
	// Context is what the caller passed for the policy: a JSON object, or nil.
	Context []byte
	// Caller is who asked, as the listener saw it: an address. It is logged; and it decides whether what the query
	// says about the client's certificate is believed.
	Caller string
}

// TokenRule says whether policies decide about queries without a token. A token that is there and bad is refused by
// either rule.
type TokenRule string

// The rules of tokens.
const (
	TokenRequired TokenRule = "required"
	TokenOptional TokenRule = "optional"
)

// Place is where the credential of a request is, when it is not in Authorization: in a header, or in a cookie. At most
// one of the two is set. Header is in lower case.
type Place struct{ Header, Cookie string }

// HasRequest reports whether q is about an HTTP request. It is as soon as any member of Request is set, so that half a
// request is read, and refused, as a request.
func (q *Query) HasRequest() bool {
	r := &q.Request
	return r.Method != "" || r.URL != "" || len(r.Headers) > 0 || r.SourceIP != "" || r.ClientCertificate != "" ||
		r.HasBody || r.Body != ""
}

// Entity is a subject or a resource: AuthZEN 1.0 sections 5.1 and 5.2. Type and ID are required.
type Entity struct {
	Type, ID string
	// Properties is a JSON object, or nil.
	Properties []byte
}

// Action is what the subject wants to do: AuthZEN 1.0 section 5.3. Name is required.
type Action struct {
	Name string
	// Properties is a JSON object, or nil.
	Properties []byte
}

// Request is the HTTP request that is asked about. Its headers hold credentials: it is never printed.
type Request struct {
	Method string
	// URL is absolute ("https://api.example/orders?x=1") or in origin form ("/orders?x=1"), as received.
	URL string
	// Headers has lower-case names.
	Headers map[string][]string
	// SourceIP is the address of the client of the request, or empty.
	SourceIP string
	// ClientCertificate is PEM, as it is or URL-encoded, or empty.
	ClientCertificate string
	// Body is the payload as text. HasBody tells an empty one from none.
	Body    string
	HasBody bool
	// BodyPartial is set when Body is only the beginning of what the upstream gets.
	BodyPartial bool
}

// Format prints that there is a Query, and nothing in it.
func (Query) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("authz.Query{...}")) }

// LogValue logs that there is a Query, and nothing in it.
func (Query) LogValue() slog.Value { return slog.StringValue("authz.Query{...}") }

// Format prints that there is a Request, and nothing in it.
func (Request) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("authz.Request{...}")) }

// LogValue logs that there is a Request, and nothing in it.
func (Request) LogValue() slog.Value { return slog.StringValue("authz.Request{...}") }

// Verdict is what a policy said, checked for its shape. It is immutable: a later memo may share it between requests.
type Verdict struct {
	Allow   bool
	Reasons []Reason
	// Challenge is nil when the policy asked for none.
	Challenge *Challenge
	// Status is 400..499, or 0 when the policy left it to the sidecar.
	Status          int
	UpstreamHeaders []Header
	ResponseHeaders []Header
	// Obligations is a JSON array and Context a JSON object; nil when the policy gave none.
	Obligations []byte
	Context     []byte
	// UpstreamToken is a JSON object: the claims of the token for the upstream; nil when the policy gave none.
	UpstreamToken []byte
}

// Reason says why a request is refused, in words a program can switch on (Code) and words a person can read (Message).
type Reason struct {
	Code    string
	Message string
	// Object is the whole reason as the policy wrote it, a JSON object with at least "code"; nil when there is
	// nothing beside Code and Message.
	Object []byte
}

// Challenge is what a client must do to be let in: RFC 6750 section 3, RFC 9470 section 3.
type Challenge struct {
	Error            string
	ErrorDescription string
	Scope            []string
	ACRValues        []string
	// MaxAge is in seconds; HasMaxAge tells 0 from none.
	MaxAge    int64
	HasMaxAge bool
}

// Header is one HTTP header field. Values were checked for injection where they entered.
type Header struct {
	Name   string
	Values []string
}

// Decision is the answer. A denial is a Decision, and so is a refusal to decide: Kind says which.
// The zero Decision is an internal refusal, never an allow.
type Decision struct {
	ID   string
	Kind Kind
	// Status is what a gateway should answer the caller: 200 for an allow.
	Status  int
	Reasons []Reason
	// Headers go to the client, whatever was decided; UpstreamHeaders to the upstream of an allowed request.
	Headers         []Header
	UpstreamHeaders []Header
	// Context is a JSON object and Obligations a JSON array, as the policy gave them; nil when it gave none. Context
	// has no member "obligations". What a caller gets is JoinedContext, unless its protocol has another place for
	// obligations.
	Context     []byte
	Obligations []byte
	Policy      PolicyRef
	// Eval is how long the policy was evaluated; 0 when none was asked.
	Eval time.Duration
	// Body is JSON that the client of a refused request should get instead of the door's own body; nil mostly.
	Body []byte
	// Cause is why there is no verdict, for operators only; nil when a policy decided.
	Cause error
}

// JoinedContext returns the context with the obligations as its member "obligations", where the obligations profile of
// AuthZEN 1.0 has them: a JSON object, or nil.
func (d *Decision) JoinedContext() []byte {
	if d.Obligations == nil {
		return d.Context
	}
	out := append([]byte(`{"obligations":`), d.Obligations...)
	if len(d.Context) <= len("{}") {
		return append(out, '}')
	}
	return append(append(out, ','), d.Context[1:]...)
}

// PolicyRef names the exact policy that was asked.
type PolicyRef struct {
	Path     string
	Revision string
	Digest   string
	// Bundles is a JSON object of BundleRef by name, of the bundles whose content has a digest; nil without any.
	// It is made once for a policy.
	Bundles []byte
}

// BundleRef says which bundle took part in a decision.
type BundleRef struct {
	// Revision is what its manifest says; empty for a directory.
	Revision string `json:"revision"`
	// Digest is its content digest, "sha256:<hex>", which reviews and signatures name; empty for a directory.
	Digest string `json:"digest,omitzero"`
	// Signers are those whose signatures hold.
	Signers []Signer `json:"signers,omitempty"`
}

// Signer is one verified signature of a bundle.
type Signer struct {
	KeyID string `json:"key_id"`
	// Role is what the configuration lists the key for, such as "reviewer"; empty when it lists no roles.
	Role string `json:"role,omitempty"`
	// Algorithm is that of the key: "ES256".
	Algorithm string `json:"algorithm"`
}

// String is the key with its role: "ann (reviewer)".
func (s Signer) String() string {
	if s.Role == "" {
		return s.KeyID
	}
	return s.KeyID + " (" + s.Role + ")"
}

// Time in the vocabulary is seconds since the epoch, as the RFCs have it; 0 means "not said".
type Time int64

// At returns the Time of t.
func At(t time.Time) Time { return Time(t.Unix()) }
