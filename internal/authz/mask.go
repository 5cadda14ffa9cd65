package authz

// Mask is what a policy says about one event of the decision log: data.system.log.mask and data.system.log.drop.
type Mask struct {
	// Drop leaves the whole event out of the log.
	Drop bool
	// Ops are applied in order.
	Ops []MaskOp
}

// MaskOp changes one member of an event.
type MaskOp struct {
	// Op is "remove" or "upsert".
	Op string
	// Path is a JSON pointer (RFC 6901) into the event as the policy saw it, at or below /input, /result or
	// /nd_builtin_cache.
	Path string
	// Value is the JSON that an upsert writes; nil is null.
	Value []byte
}
