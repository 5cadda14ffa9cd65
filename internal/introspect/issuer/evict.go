package issuer

import (
	"fmt"
	"slices"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
)

// Evict forgets what is known about the tokens that v means, and returns how many answers that were. No answer that
// was asked for before is used any more, also one still in flight: the next request asks. JWTs that are validated
// locally count as revoked from now on, for the configured time, when they were issued at or before v.At.
//
// An issuer goes by its configured name, or by an identifier that is in its tokens. An error is an *authz.Error of
// kind Malformed with one of the codes of package introspect, and then nothing was evicted.
func (is *Issuers) Evict(v authz.Revocation) (int, error) {
	meant := is.all
	if v.Issuer != "" {
		if meant = is.called(v.Issuer); len(meant) == 0 {
			return 0, wrongRevocation(introspect.UnknownIssuer, "no issuer is called so")
		}
	} else if len(is.all) > 1 && (v.Subject != "" || v.Username != "" || v.Email != "") {
		// Only issuer and subject together are a key: RFC 9068 section 5.
		return 0, wrongRevocation(introspect.IssuerNeeded, "a subject is known by its name to its issuer only")
	}
	n := 0
	for _, i := range meant {
		more, err := i.Evict(v)
		if err != nil {
			return 0, err // the first one says so
		}
		n += more
	}
	return n, nil
}

// called returns the issuer of a configured name or, when there is none, all that have the identifier.
func (is *Issuers) called(name string) []*Issuer {
	if at := slices.IndexFunc(is.all, func(i *Issuer) bool { return i.name == name }); at >= 0 {
		return is.all[at : at+1]
	}
	return slices.DeleteFunc(slices.Clone(is.all),
		func(i *Issuer) bool { return !slices.Contains(i.identifiers, name) })
}

// Evict is Issuers.Evict for the tokens of one issuer, whatever v calls it.
func (i *Issuer) Evict(v authz.Revocation) (int, error) {
	n, code := i.cache.Evict(v)
	if code != "" {
		return 0, wrongRevocation(code, "it names no tokens, or all and some")
	}
	return n, nil
}

// CapTTL caps how long answers of the issuer of that name are used, on top of their own lifetimes; 0 lifts the cap.
func (is *Issuers) CapTTL(issuer string, lifetime time.Duration) {
	for _, i := range is.all {
		if i.name == issuer {
			i.cache.Cap(lifetime)
		}
	}
}

func wrongRevocation(code, why string) error {
	return &authz.Error{Kind: authz.Malformed, Code: code, Err: fmt.Errorf("evict tokens: %s", why)}
}
