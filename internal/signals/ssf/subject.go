package ssf

import (
	"errors"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/signals"
)

// subjectReader turns subjects into revocations (SET-3): RFC 9493, SSF 1.0 section 3.
type subjectReader struct {
	// issuers are the issuer identifiers whose users and tokens are known here.
	issuers []string
	// sessions is signals.SessionsKnown where sessions are known.
	sessions string
	// critical are the members of a complex subject that must be understood.
	critical []string
}

// Why no token can be found by a subject. The event is valid all the same.
var (
	errUnknown  = errors.New("its subject is of a kind by which no token can be found")
	errCritical = errors.New("its subject has a critical member that is not understood")
)

const (
	maxAliases  = 32
	allSessions = "ALL" // every session of a user, at Keycloak
)

// subject is a Subject Identifier of any format.
type subject struct {
	format, issuer, subject, id, email, uri, url, tokenID string
	identifiers                                           []jsontext.Value
}

// readSubject reads the members of a subject. A member of another type is read as absent.
func readSubject(raw jsontext.Value) (subject, bool) {
	c, ok := jose.ReadClaims(raw)
	var s subject
	for name, to := range map[string]*string{
		"format": &s.format, "iss": &s.issuer, "sub": &s.subject, "id": &s.id,
		"email": &s.email, "uri": &s.uri, "url": &s.url, "jti": &s.tokenID,
	} {
		*to, _ = c.Name(name)
	}
	s.identifiers, _ = jose.List(c.Value("identifiers"))
	return s, ok
}

// role is what a simple subject stands for.
type role uint8

const (
	anyRole role = iota // outside a complex subject: a user, a session or a token
	userRole
	sessionRole
	applicationRole
	tenantRole
)

// read returns what a subject names, as revocations that overlap: the answers of one issuer name the session of a
// token, those of another only its user.
func (r subjectReader) read(raw jsontext.Value) ([]authz.Revocation, error) {
	s, ok := readSubject(raw)
	if !ok {
		return nil, errUnknown
	}
	if s.format == "complex" {
		return r.complex(raw)
	}
	return r.simple(s, anyRole)
}

// complex returns the session and the user, because together they leave nothing out; the session alone where sessions
// are known; and without either the application or the tenant. Members that narrow the subject further (a device, a
// group) are not read, so that more is evicted than was meant, unless the transmitter declares them critical.
func (r subjectReader) complex(raw jsontext.Value) ([]authz.Revocation, error) {
	members, _ := jose.ReadClaims(raw) // an object: its format was read
	roles := map[string]role{
		"user": userRole, "session": sessionRole, "application": applicationRole, "tenant": tenantRole,
	}
	found := map[string][]authz.Revocation{}
	for name := range members {
		if name == "format" || !members.Has(name) {
			continue
		}
		as, known := roles[name]
		var named []authz.Revocation
		err := errUnknown
		if known {
			named, err = r.member(members.Value(name), as)
		}
		if err != nil && slices.Contains(r.critical, name) {
			return nil, errCritical
		}
		found[name] = named
	}
	// A session that names none is every session of the user.
	out := slices.Concat(found["session"], found["user"])
	if len(found["session"]) == 1 {
		for i := range found["user"] {
			out[1+i].OfSession = found["session"][0].SessionID
		}
	}
	if r.sessions == signals.SessionsKnown && len(found["session"]) > 0 {
		out = found["session"]
	}
	for _, wider := range []string{"application", "tenant"} {
		if len(out) == 0 && !members.Has("user", "session") {
			out = found[wider]
		}
	}
	if len(out) == 0 {
		return nil, errUnknown
	}
	return out, nil
}

func (r subjectReader) member(v jsontext.Value, as role) ([]authz.Revocation, error) {
	s, ok := readSubject(v)
	if !ok {
		return nil, errUnknown
	}
	if as == sessionRole && s.format == "opaque" && s.id == allSessions {
		return nil, nil
	}
	return r.simple(s, as)
}

// simple reads every format but complex.
func (r subjectReader) simple(s subject, as role) ([]authz.Revocation, error) {
	var out []authz.Revocation
	switch s.format {
	case "aliases": // several identifiers of one subject; by RFC 9493 section 3.2.8 they do not nest
		if len(s.identifiers) > maxAliases {
			return nil, errUnknown
		}
		for _, v := range s.identifiers {
			one, ok := readSubject(v)
			if !ok || one.format == "aliases" {
				continue
			}
			if named, err := r.simple(one, as); err == nil {
				out = append(out, named...)
			}
		}
	case "iss_sub":
		if as == anyRole {
			as = userRole
		}
		if slices.Contains(r.issuers, s.issuer) {
			out = named(s.subject, as)
		}
	case "opaque":
		out = named(s.id, as)
	case "uri":
		out = named(s.uri, as)
	case "did":
		out = named(s.url, as)
	case "email":
		if as == anyRole || as == userRole {
			out = []authz.Revocation{{Email: s.email}}
		}
	case "account": // acct:name@host
		if as == anyRole || as == userRole {
			out = account(s.uri)
		}
	case "jwt_id":
		if slices.Contains(r.issuers, s.issuer) {
			out = []authz.Revocation{{TokenID: s.tokenID}}
		}
	}
	out = slices.DeleteFunc(out, func(v authz.Revocation) bool { return !isNamed(v) })
	if len(out) == 0 {
		return nil, errUnknown
	}
	return out, nil
}

// named returns what an identifier of the transmitter names, by its role.
func named(id string, as role) []authz.Revocation {
	switch as {
	case userRole:
		return []authz.Revocation{{Subject: id}}
	case sessionRole:
		return []authz.Revocation{{SessionID: id}}
	case applicationRole:
		return []authz.Revocation{{ClientID: id}}
	case tenantRole:
		return []authz.Revocation{{Tenant: id}}
	case anyRole:
	}
	return []authz.Revocation{{Subject: id}, {SessionID: id}}
}

func account(uri string) []authz.Revocation {
	const scheme = "acct:"
	if len(uri) <= len(scheme) || uri[:len(scheme)] != scheme {
		return nil
	}
	return []authz.Revocation{{Username: uri[len(scheme):]}, {Email: uri[len(scheme):]}}
}

// isNamed reports whether a revocation names something by a valid identifier.
func isNamed(r authz.Revocation) bool {
	return signals.IsIdentifier(r.Subject + r.SessionID + r.TokenID + r.ClientID + r.Tenant + r.Email + r.Username)
}
