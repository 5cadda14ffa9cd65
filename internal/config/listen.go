package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/door/extauthz"
	"github.com/authz-sidecar/sidecar/internal/door/forwardauth"
	"github.com/authz-sidecar/sidecar/internal/listen"
)

// Listen has the listener of each door.
type Listen struct {
	API   listen.Config `yaml:"api" doc:"Decisions and probes, for applications and gateways."`
	Admin listen.Config `yaml:"admin" doc:"Metrics, status and probes, for operators."`
	// Metrics is off while it has no address.
	Metrics listen.Config `yaml:"metrics" doc:"Metrics and probes alone, for scrapers and orchestrators. Off without an address."`
	// GRPC is off while it has no address.
	GRPC extauthz.Config `yaml:"grpc" doc:"External authorization for Envoy over gRPC. Off without an address."`
	// ForwardAuth has a listener for each gateway.
	ForwardAuth []forwardauth.Config `yaml:"forward_auth" doc:"Checks of gateways that ask by HTTP, one listener a gateway."`
}

// named is a listener by its name below listen.
type named struct {
	name string
	listen.Config
}

// all are the listeners, in the order of the configuration.
func (c Listen) all() []named {
	all := []named{{"api", c.API}, {"admin", c.Admin}, {"metrics", c.Metrics}, {"grpc", c.GRPC.Config}}
	for i, l := range c.ForwardAuth {
		all = append(all, named{fmt.Sprintf("forward_auth[%d]", i), l.Config})
	}
	return all
}

// entrypoint is what a listener asks by default, where that is another than decision.entrypoint.
type entrypoint struct{ listener, asks string }

func (c Listen) entrypoints() []entrypoint {
	all := []entrypoint{{"grpc", c.GRPC.Entrypoint}}
	for i, l := range c.ForwardAuth {
		all = append(all, entrypoint{fmt.Sprintf("forward_auth[%d]", i), l.Entrypoint})
	}
	return slices.DeleteFunc(all, func(e entrypoint) bool { return e.asks == "" })
}

// Check reports listeners without an address that cannot be off, and two listeners on one address.
func (c Listen) Check(fault func(key, cause, hint string)) {
	taken := map[string]string{}
	for _, l := range c.all() {
		switch other := taken[l.Address]; {
		case l.Off() && (l.name == "api" || l.name == "admin"):
			fault(l.name+".address", "is empty", "write host:port, or unix:///path?mode=0660")
		case l.Off() || strings.HasSuffix(l.Address, ":0"):
		case other != "":
			fault(l.name+".address", "is the address of "+other+" too", "give each listener an address of its own")
		default:
			taken[l.Address] = l.name
		}
	}
	names := map[string]bool{}
	for i, l := range c.ForwardAuth {
		if names[l.Name] {
			fault(fmt.Sprintf("forward_auth[%d].name", i), "is the name of another listener too",
				"give each listener a name of its own")
		}
		names[l.Name] = true
	}
}

// warn reports what is probably a mistake in a listener.
func (c Listen) warn(warn func(key, cause, hint string)) {
	for _, l := range c.all() {
		l.Warn(func(key, cause, hint string) { warn("listen."+l.name+"."+key, cause, hint) })
	}
}
