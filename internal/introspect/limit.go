package introspect

import "time"

// ttlCap is how much less than its own lifetime an answer is used.
type ttlCap struct {
	most  time.Duration // 0 is no bound
	since time.Time     // what was asked for before does not count, bound or none
}

// Limit bounds how long answers of the issuer of that name are used, on top of its own lifetimes; 0 lifts the bound. It is
// for as long as nobody would tell that tokens are over (EV-2). What had grown too old by then stays so: word of its end may
// have come in the meantime, to nobody.
func (is *Issuers) Limit(issuer string, lifetime time.Duration) {
	for _, i := range is.all {
		if i.name == issuer {
			now := time.Now()
			i.bound.Store(&ttlCap{lifetime, i.notBefore(time.Time{}, now)})
		}
	}
}

// notBefore is since, or later where there is a bound.
func (i *Issuer) notBefore(since, now time.Time) time.Time {
	b := i.bound.Load()
	if b == nil {
		return since
	}
	if b.since.After(since) {
		since = b.since
	}
	if b.most > 0 && now.Add(-b.most).After(since) {
		return now.Add(-b.most)
	}
	return since
}
