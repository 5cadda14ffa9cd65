package proof

import (
	"errors"
	"strconv"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

const maxURIBytes = 16 << 10

// uri is an http or https URI without its query and fragment, in the form in which two are compared: RFC 3986 sections
// 6.2.2 and 6.2.3 (DPOP-9).
type uri struct {
	origin string // scheme and authority
	path   string
}

// readURI reads an absolute URI into its normal form. The query and the fragment are left out: RFC 9449 section 4.3
// ignores them.
func readURI(s string) (uri, bool) {
	if len(s) > maxURIBytes {
		return uri{}, false
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if scheme = httpuri.Lower(scheme); !ok || scheme != "http" && scheme != "https" {
		return uri{}, false
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, ok := readAuthority(scheme, rest[:end])
	if !ok {
		return uri{}, false
	}
	path, ok := httpuri.NormalPath(rest[end:])
	return uri{scheme + "://" + authority, path}, ok
}

// readAuthority normalises host and port (RFC 3986 section 6.2.3): an empty port is left out, and so is the default
// one.
func readAuthority(scheme, s string) (string, bool) {
	a, ok := httpuri.ReadAuthority(strings.TrimSuffix(s, ":"))
	if a.Port != 0 && !(scheme == "http" && a.Port == 80 || scheme == "https" && a.Port == 443) {
		return a.Host + ":" + strconv.Itoa(int(a.Port)), ok
	}
	return a.Host, ok
}

// readBase reads a public base URL.
func readBase(s string) (*uri, error) {
	u, ok := readURI(s)
	switch {
	case strings.ContainsAny(s, "?#"):
		return nil, errors.New("it has a query or a fragment")
	case !ok:
		return nil, errors.New("it is not an absolute http or https URL")
	}
	u.path = strings.TrimSuffix(u.path, "/")
	return &u, nil
}

// target is the URI of the request as its client wrote it, never that of the sidecar (DPOP-21). The Host field is not
// read: it does not say the scheme, and any client can write one.
func (v *Verifier) target(requested string) (uri, bool) {
	if v.base == nil {
		return readURI(requested)
	}
	path := requested
	if !strings.HasPrefix(requested, "/") {
		_, rest, _ := strings.Cut(requested, "://")
		path = strings.TrimLeftFunc(rest, func(r rune) bool { return r != '/' && r != '?' })
	}
	path, ok := httpuri.NormalPath(path)
	return uri{v.base.origin, v.base.path + path}, ok
}
