package issuer

import (
	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// Status is the state of the server as the sidecar has met it. It asks nothing.
func (i *Issuer) Status() status.Issuer {
	cached := i.cache.Stats()
	s := status.Issuer{
		Name: i.name, Issuer: i.issuer, Mode: string(i.mode),
		CachedActive: cached.Active.Entries, CachedBytes: cached.Active.Bytes,
		CachedInactive: cached.Inactive.Entries,
	}
	s.CachedCapacity, s.CachedBound = i.cache.Capacity()
	i.addIntrospection(&s)
	i.server.AddStatus(&s)
	if s.Keys = i.keySet.Status(); s.Keys == nil && i.needsKeys {
		s.Keys = &status.Fetched{}
	}
	addFault(&s, status.PartMetadata, s.Metadata)
	addFault(&s, status.PartKeys, s.Keys)
	addFault(&s, status.PartToken, s.Token)
	if m := i.canary.missing.Load(); m != nil {
		s.Canary, s.CanaryOutcome, s.CanarySince = m.cause, m.outcome, m.since
		s.Faults = append(s.Faults, status.Fault{Part: status.PartCanary, Kind: authz.Misconfigured.String(),
			Cause: m.cause, Since: m.since})
	}
	s.Healthy = len(s.Faults) == 0
	return s
}

// addFault adds why the newest attempt to fetch f failed.
func addFault(to *status.Issuer, part string, f *status.Fetched) {
	if f != nil && f.Fault != nil {
		to.Faults = append(to.Faults, status.Fault{Part: part, Kind: f.Fault.Kind, Cause: f.Fault.Cause,
			Since: f.Since})
	}
}

func (i *Issuer) addIntrospection(s *status.Issuer) {
	if i.unasked {
		return
	}
	in, fault := i.client.Status()
	in.Breaker, in.Limits = i.guard.Status()
	use, refusing := i.cache.InFlight()
	if in.Limits.InFlight = use; refusing != "" {
		in.Limits.Refusing = append(in.Limits.Refusing, refusing)
	}
	s.Introspection = &in
	if fault != nil {
		s.Faults = append(s.Faults, *fault)
	}
}

// register shows the state in metrics, which are those of this issuer.
func (i *Issuer) register(r metrics.Registerer) {
	is := func(yes bool) float64 {
		if yes {
			return 1
		}
		return 0
	}
	metrics.NewGaugeFunc(r, "sidecar_introspect_healthy",
		"1 while the status lists no fault of the issuer; 0 while it lists one.",
		func() float64 { return is(i.Status().Healthy) })
	if i.canary.every > 0 {
		metrics.NewGaugeFunc(r, "sidecar_introspect_canary_failing",
			"1 while the authorization server does not call the sidecar's own token active.",
			func() float64 { return is(i.canary.missing.Load() != nil) })
	}
}
