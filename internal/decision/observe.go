package decision

import (
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// Observer is told of every decision, in the goroutine that made it: it does not wait for anything.
type Observer interface {
	Observe(o Observed)
}

// Observed is a decision with what it takes to say why. It is immutable, and holds no token.
type Observed struct {
	Decision authz.Decision
	Record   *decisionlog.Record
	// Document is what the policy read; nil when none was asked.
	Document *input.Document
	// Policy is the one that decided, or would have.
	Policy *engine.Policy
	// Method and Path say what was asked, as it was received, without query: of a question that is about no HTTP
	// request, the action, and type and id of the resource.
	Method, Path string
	// Client and Subject are those of the token, when it was looked at.
	Client, Subject string
}

// seen is what the request path finds out before there is a document. Nil keeps nothing.
type seen struct {
	token  secret.Text
	claims *authz.Claims
}

func (s *seen) saw(cred token.Credential) {
	if s != nil {
		s.token = cred.Token
	}
}

func (s *seen) learnt(c *authz.Claims) {
	if s != nil {
		s.claims = c
	}
}

// tellObserver tells of a decision that is made. Whatever happens here, it stays.
func (p *Point) tellObserver(q *pending, d authz.Decision) {
	defer func() {
		if r := recover(); r != nil {
			p.deps.Log.Error("observer of decisions panicked",
				"decision_id", d.ID, "panic", described(r), "stack", string(debug.Stack()))
		}
	}()
	p.deps.Observer.Observe(q.observed(d))
}

// observed is what an observer is told of q, which ended as d.
func (q *pending) observed(d authz.Decision) Observed {
	o := Observed{Decision: d, Record: q.rec, Policy: q.snap.Policy}
	if c := q.seen.claims; c != nil {
		o.Client, o.Subject = c.ClientID, c.Subject.ID
	}
	o.Document, _ = q.rec.Input.(*input.Document)
	switch {
	case o.Document != nil:
		o.Method, o.Path = Asked(o.Document)
	case q.HasRequest():
		o.Method, o.Path = q.hide(q.Request.Method), q.hide(pathOf(q.Request.URL))
	case q.Action != nil && q.Resource != nil:
		o.Method, o.Path = q.hide(q.Action.Name), q.hide(q.Resource.Type+":"+q.Resource.ID)
	}
	return o
}

// Asked says what a document asks about, as Observed has it. A document of which parts were left out may not say it.
func Asked(doc *input.Document) (method, path string) {
	switch {
	case doc.HasRequest():
		return doc.Request.Method, pathOf(doc.Request.RawPath)
	case doc.Action != nil && doc.Resource != nil:
		return doc.Action.Name, doc.Resource.Type + ":" + doc.Resource.ID
	}
	return "", ""
}

// hide takes out of a text what the request carries as a credential, or may mean as one. A document has none.
func (q *pending) hide(s string) string {
	secrets := []secret.Text{q.seen.token, q.Token}
	for _, v := range q.Request.Headers["authorization"] {
		for word := range strings.FieldsSeq(v) {
			secrets = append(secrets, secret.New(word))
		}
	}
	for _, t := range secrets {
		s = secret.NewHider(t).Hide(s)
	}
	return s
}

// pathOf is the path of a URL that may be malformed, without what may hold a password or a key: user information,
// query, and the values of parameters.
func pathOf(url string) string {
	if end := strings.IndexAny(url, "?#"); end >= 0 {
		url = url[:end]
	}
	if scheme, rest, ok := strings.Cut(url, "://"); ok && !strings.Contains(scheme, "/") {
		at := strings.IndexByte(rest, '/')
		if at < 0 {
			return "/"
		}
		url = rest[at:]
	}
	if authority, rest, _ := strings.Cut(strings.TrimLeft(url, "/"), "/"); strings.Contains(authority, "@") &&
		(url[0] != '/' || strings.HasPrefix(url, "//")) {
		url = secret.Redacted + "/" + rest
	}
	return parameterValue.ReplaceAllString(url, "$1...")
}

// parameterValue is the value of a parameter in a path.
var parameterValue = regexp.MustCompile(`([;&][^=;&/]*=)[^;&/]+`)
