package introspect

import "time"

// Limit bounds how long answers of the issuer of that name are used, on top of its own lifetimes; 0 lifts the bound. It is
// for as long as nobody would tell that tokens are over (EV-2).
func (is *Issuers) Limit(issuer string, lifetime time.Duration) {
	for _, i := range is.all {
		if i.name == issuer {
			i.limit.Store(int64(lifetime))
		}
	}
}

// bounded is since, or later while there is a limit: what was asked for before does not count.
func (i *Issuer) bounded(since, now time.Time) time.Time {
	if most := time.Duration(i.limit.Load()); most > 0 && now.Add(-most).After(since) {
		return now.Add(-most)
	}
	return since
}
