package authserver

// WellKnown lists where the metadata of an issuer may be, in the order in which it is looked for: RFC 8414 section 3.1,
// then OpenID Connect Discovery 1.0 section 4.1.
func WellKnown(issuer string) []string { return wellKnown(issuer) }
