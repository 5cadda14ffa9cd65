package oauth

import (
	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// AddStatus adds what was fetched from the server, and what is wrong with the files of the sidecar's credentials.
func (s *Server) AddStatus(to *status.Issuer) {
	to.Metadata = s.discovery.status()
	if s.tokens != nil {
		if to.Token = s.tokens.tokens.Status(); to.Token == nil {
			to.Token = &status.Fetched{}
		}
	}
	to.Faults = append(to.Faults, s.identity.faults()...)
	to.Faults = append(to.Faults, s.trust.faults()...)
}

// status is how the metadata of the server is kept; nil when every endpoint is configured.
func (d *discovery) status() *status.Fetched {
	s := d.known.Status()
	if s == nil && len(d.needs) > 0 {
		return &status.Fetched{} // it is about to be fetched
	}
	return s
}

// faults says why the newest content of the files is not in use. What was in use before still is.
func (r *rotation[T]) faults() []status.Fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	fault := status.Fault{Part: status.PartCredentials, Kind: authz.Misconfigured.String()}
	switch newest := r.generations[0]; {
	case r.unusable != "":
		fault.Cause = "the changed " + r.what + " cannot be used, the former one is: " + r.unusable
		fault.Since = r.unusableSince
	case !newest.worked && newest.refusals > 0 && len(r.generations) > 1:
		fault.Cause = "the authorization server refuses the changed " + r.what + ", the former one is used"
		fault.Since = newest.refusedSince
	default:
		return nil
	}
	return []status.Fault{fault}
}
