package resource

import (
	"net/url"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// WellKnown is where metadata is, before the path of its resource (RFC 9728 section 3.1).
const WellKnown = "/.well-known/oauth-protected-resource"

// Resource is one protected resource, prepared. It is immutable.
type Resource struct {
	Config
	// MetadataURL is where clients find its metadata.
	MetadataURL string
	// MetadataPath is the path and query of MetadataURL.
	MetadataPath string

	host string
	port int64
	// path is canonical and has no slash at its end; empty for all of the host.
	path string
}

// prepare returns nil for an identifier that Check refuses.
func prepare(c Config) *Resource {
	if identifierFault(c.Resource) != "" {
		return nil
	}
	u, err := url.Parse(c.Resource)
	if err != nil {
		return nil
	}
	authority, _ := httpuri.ReadAuthority(u.Host)
	path, _, _ := httpuri.ReadPath(pathOf(u), httpuri.RefuseAmbiguous)
	r := &Resource{Config: c, host: authority.Host, port: int64(authority.Port), path: strings.TrimSuffix(path, "/")}
	if r.port == 0 {
		r.port = usualPort(u.Scheme)
	}
	// The identifier stays as it is written: a slash or a case that was repaired here would be another resource.
	scheme, rest, _ := strings.Cut(c.Resource, "://")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	suffix := rest[end:]
	if strings.HasPrefix(suffix, "/?") || suffix == "/" {
		suffix = suffix[1:]
	}
	r.MetadataPath = WellKnown + suffix
	r.MetadataURL = scheme + "://" + rest[:end] + r.MetadataPath
	return r
}

func usualPort(scheme string) int64 {
	if scheme == "https" {
		return 443
	}
	return 80
}

// Endpoint reports whether a canonical path is that of the resource itself, and not below it.
func (r *Resource) Endpoint(path string) bool { return strings.TrimSuffix(path, "/") == r.path }

// Set is all resources. A nil Set has none. It is immutable.
type Set struct{ all []*Resource }

// NewSet prepares resources that were checked.
func NewSet(all []Config) *Set {
	s := &Set{}
	for _, c := range all {
		if r := prepare(c); r != nil {
			s.all = append(s.all, r)
		}
	}
	return s
}

// Of returns the resource that a request is of, or nil: the one with its host and the longest path, and of several the
// one with its port. A request without a host is of a resource when all that could be meant have one host.
func (s *Set) Of(host string, port int64, path string) *Resource {
	if s == nil {
		return nil
	}
	var best *Resource
	for _, r := range s.all {
		if host != "" && host != r.host || path != r.path && !strings.HasPrefix(path, r.path+"/") {
			continue
		}
		switch {
		case best != nil && host == "" && best.host != r.host:
			return nil
		case best == nil, len(r.path) > len(best.path), len(r.path) == len(best.path) && r.port == port:
			best = r
		}
	}
	return best
}

// MayBeMessage reports whether a request to a canonical path may carry a message of MCP. Host may be empty where it is
// not known.
func (s *Set) MayBeMessage(host, path string) bool {
	return s != nil && slices.ContainsFunc(s.all, func(r *Resource) bool {
		return r.MCP.On() && r.Endpoint(path) && (host == "" || host == r.host)
	})
}

// Serving returns the resource whose metadata is at a path (with its query) of a host, or nil. Host may be empty where
// one resource alone is at that path.
func (s *Set) Serving(host string, port int64, path string) *Resource {
	if s == nil {
		return nil
	}
	at := func(r *Resource) bool {
		return r.MetadataPath == path || r.Root && (path == WellKnown || path == WellKnown+"/")
	}
	var found []*Resource
	for _, r := range s.all {
		if at(r) && (host == "" || r.host == host) {
			found = append(found, r)
		}
	}
	if i := slices.IndexFunc(found, func(r *Resource) bool { return r.port == port }); i >= 0 && host != "" {
		return found[i]
	}
	if len(found) != 1 && host == "" || len(found) == 0 {
		return nil
	}
	// The resource whose own place it is comes before the one that is served at the root too.
	if i := slices.IndexFunc(found, func(r *Resource) bool { return r.MetadataPath == path }); i >= 0 {
		return found[i]
	}
	return found[0]
}

// Hosts are the hosts of all resources.
func (s *Set) Hosts() []string {
	var hosts []string
	if s != nil {
		for _, r := range s.all {
			hosts = append(hosts, r.host)
		}
	}
	return hosts
}
