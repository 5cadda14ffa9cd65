package mcp

import "slices"

// Config says how the messages of an MCP endpoint are read.
type Config struct {
	Eras            []string `yaml:"eras" enum:"sessions|stateless" doc:"Eras of the Model Context Protocol that the server speaks: sessions (2025-11-25 and older: initialize, GET, DELETE) and stateless (2026-07-28 and later: POST alone, method and name mirrored in headers). Empty: the resource is no MCP endpoint."`
	BodyBytes       int      `yaml:"body_bytes" default:"4194304" min:"1024" max:"67108864" doc:"Bytes that a message may have. Servers of the official SDKs take 4 MiB; the listener that the question comes by must take more."`
	DecideByHeaders bool     `yaml:"decide_by_headers" default:"false" doc:"Decide by Mcp-Method and Mcp-Name where the gateway sends no body. Only for requests whose MCP-Protocol-Version is 2026-07-28 or later, and only sound where every server behind the gateway refuses a header that differs from the body."`
}

// The eras of the protocol.
const (
	sessions  = "sessions"
	stateless = "stateless"
)

// On reports whether the resource is an MCP endpoint.
func (c Config) On() bool { return len(c.Eras) > 0 }

// Check reports every fault of c.
func (c Config) Check(fault func(key, cause, hint string)) {
	if c.DecideByHeaders && !slices.Contains(c.Eras, stateless) {
		fault("decide_by_headers", "is set, but eras has no stateless: older messages have no such headers",
			"add stateless to eras, or remove decide_by_headers")
	}
}
