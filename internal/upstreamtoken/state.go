package upstreamtoken

import (
	"sync/atomic"
	"time"

	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// counts are of allows, by how the header of each got its value.
type counts struct{ signed, reused, none, failed atomic.Uint64 }

// count shows the metrics.
func (i *Issuer) count(r metrics.Registerer) {
	for outcome, n := range map[string]*atomic.Uint64{"signed": &i.made.signed, "reused": &i.made.reused,
		"none": &i.made.none, "failed": &i.made.failed} {
		metrics.NewCounterFunc(metrics.With(r, "outcome", outcome), "sidecar_token_identities_total",
			"Allows by how they got a signed identity.", func() float64 { return float64(n.Load()) })
	}
	metrics.NewGaugeFunc(r, "sidecar_token_identity_keys_failing",
		"1 while changed keys of signed identities cannot be used.", func() float64 {
			i.keys()
			if i.fault.Load() != nil {
				return 1
			}
			return 0
		})
}

// setFault keeps since when the files are at fault for a cause; an empty one ends it.
func (i *Issuer) setFault(cause string) {
	old := i.fault.Load()
	switch {
	case cause == "":
		i.fault.Store(nil)
	case old == nil || old.Cause != cause:
		since := time.Now()
		if old != nil {
			since = old.Since
		}
		i.fault.Store(&status.Fault{Part: status.PartKeys, Kind: "misconfigured", Cause: cause, Since: since})
	}
}

// Status is the state of the keys, and what was signed; nil when no tokens are made.
func (i *Issuer) Status() *status.UpstreamToken {
	if i == nil {
		return nil
	}
	k := i.keys()
	published, _ := k.published(time.Now())
	s := &status.UpstreamToken{Healthy: true, Issuer: i.cfg.Issuer, KeyID: k.kids[0], Algorithm: k.algs[0],
		Published: published, Since: k.since, Signed: i.made.signed.Load(), Reused: i.made.reused.Load(),
		None: i.made.none.Load(), Failed: i.made.failed.Load()}
	if f := i.fault.Load(); f != nil {
		s.Healthy, s.Faults = false, []status.Fault{*f}
	}
	return s
}
