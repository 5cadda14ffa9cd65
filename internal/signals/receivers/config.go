package receivers

import (
	"github.com/authz-sidecar/sidecar/internal/signals/backchannel"
	"github.com/authz-sidecar/sidecar/internal/signals/keycloak"
	"github.com/authz-sidecar/sidecar/internal/signals/ssf"
)

// Config says which signals end the tokens of one issuer. How the issuer is reached, whose certificate it has and who
// the sidecar is to it stands in the configuration of the issuer.
type Config struct {
	Issuer            string             `yaml:"issuer" doc:"Name of a configured issuer, whose tokens these events revoke. It must have an issuer identifier."`
	Sessions          string             `yaml:"sessions" default:"unknown" enum:"known|unknown" doc:"known when tokens or introspection answers of the issuer name their session (sid): an event about one session then revokes only its tokens. unknown revokes all tokens of the subject."`
	BackChannelLogout backchannel.Config `yaml:"backchannel_logout" doc:"OpenID Connect Back-Channel Logout."`
	SharedSignals     ssf.Config         `yaml:"shared_signals" doc:"A stream of the Shared Signals Framework: CAEP and RISC events."`
	KeycloakAdmin     keycloak.Config    `yaml:"keycloak_admin" doc:"Events that Keycloak posts to the admin URL of a client."`
}

// Check reports the problems that span keys.
func (c Config) Check(fault func(key, cause, hint string)) {
	if c.Issuer == "" {
		fault("issuer", "is empty", "name an issuer of this configuration")
	}
	if !c.BackChannelLogout.On() && !c.SharedSignals.On() && !c.KeycloakAdmin.On() {
		fault("", "takes no events at all",
			"set backchannel_logout.audience, shared_signals.delivery or keycloak_admin.client_id")
	}
}
