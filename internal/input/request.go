package input

import (
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/resource"
)

// Rules is what Config allows, prepared. It is immutable.
type Rules struct {
	headers   []string
	bodyBytes int
	ambiguous httpuri.Ambiguous
	resources *resource.Set
	seen      *fieldSets
}

// NewRules prepares cfg.
func NewRules(cfg Config) *Rules {
	r := &Rules{bodyBytes: cfg.BodyBytes, ambiguous: cfg.AmbiguousPaths, seen: &fieldSets{}}
	for _, name := range cfg.Headers {
		r.headers = append(r.headers, httpuri.Lower(name))
	}
	return r
}

// With returns the same rules for requests that may be of protected resources.
func (r *Rules) With(resources *resource.Set) *Rules {
	with := *r
	with.resources = resources
	return &with
}

// Request returns req as policies see it. An error is of kind Malformed: the request has no single meaning.
func (r *Rules) Request(req *authz.Request) (Request, error) {
	var q Query
	if err := r.read(&q, req); err != nil {
		return Request{}, err
	}
	return q.Request, nil
}

// read sets the request of q.
func (r *Rules) read(q *Query, req *authz.Request) error {
	out := &q.Request
	out.Method = strings.ToUpper(req.Method)
	if !httpuri.IsToken(req.Method) {
		return malformed("the method is not a token")
	}
	if err := checkFields(req.Headers); err != nil {
		return err
	}
	if err := r.checkConnection(req.Headers); err != nil {
		return err
	}
	rawQuery, err := out.setURL(req, r.ambiguous)
	if err != nil {
		return err
	}
	if err = out.setQuery(rawQuery); err != nil {
		return err
	}
	out.countForm(req)
	if out.SourceIP, err = sourceIP(req.SourceIP); err != nil {
		return err
	}
	if q.known = r.seen.get(r.headers, req.Headers); q.known != nil {
		out.Headers = q.known.fields
	} else if out.Headers, err = r.allowed(req.Headers); err != nil {
		return err
	} else {
		q.unknown = r
	}
	if r.bodyBytes > 0 && req.HasBody {
		return out.setBody(req, r.bodyBytes)
	}
	return nil
}

// noFields is every query and header map without members. Documents are never changed.
var noFields = map[string][]string{}

// allowed are the headers that policies see. One that is not UTF-8 is no text that they could compare or the decision
// log could hold.
func (r *Rules) allowed(headers map[string][]string) (map[string][]string, error) {
	var out map[string][]string
	for _, name := range r.headers {
		if values, ok := headers[name]; ok {
			if out == nil {
				out = make(map[string][]string, len(r.headers))
			}
			if slices.ContainsFunc(values, func(v string) bool { return !utf8.ValidString(v) }) {
				return nil, malformed("a header that policies see is not UTF-8")
			}
			out[name] = values
		}
	}
	if out == nil {
		return noFields, nil
	}
	return out, nil
}

// HiddenHeaders are the names among headers that policies do not see, without those that hold credentials.
func (r *Rules) HiddenHeaders(headers map[string][]string) []string {
	var out []string
	for name := range headers {
		if !slices.Contains(r.headers, name) && !HoldsCredential(name) {
			out = append(out, name)
		}
	}
	return out
}

func sourceIP(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return "", malformed("the source address is not an IP address")
	}
	return a.Unmap().WithZone("").String(), nil
}

// malformed never quotes the request: a URL can hold a password, and the text goes to the decision log.
func malformed(format string, args ...any) error {
	return authz.Errorf(authz.Malformed, "read request: "+format, args...)
}
