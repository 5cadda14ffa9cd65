package extauthz

import (
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// Config is the listener for Envoy's external authorization over gRPC.
type Config struct {
	listen.Config `yaml:",inline" default:"limits.timeout=2s"`
	Credential    token.Carrier `yaml:"credential" doc:"Where requests carry their token; empty is decision.credential."`
	Entrypoint    string        `yaml:"entrypoint" doc:"Entrypoint of the checks; empty is decision.entrypoint."`
	EntrypointKey string        `yaml:"entrypoint_key" doc:"Key of context_extensions whose value names the entrypoint of a check, for routes of Envoy that have a policy of their own. Empty lets no check name one."`
}

// Check reports what listen.Config does, and keys that gRPC has no use for.
func (c Config) Check(fault func(key, cause, hint string)) {
	c.Config.Check(fault)
	if len(c.Hosts) > 0 {
		fault("hosts", "is for HTTP: Envoy names its own cluster in a call, and no web page can make one", "remove it")
	}
	if c.Off() && (c.Entrypoint != "" || c.EntrypointKey != "") {
		fault("address", "is empty, and other keys of the listener are set",
			"write host:port, or unix:///path?mode=0660")
	}
}
