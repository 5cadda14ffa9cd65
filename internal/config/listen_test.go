package config

import (
	"slices"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/listen"
)

func TestTwoListenersOnOneAddressAreRefused(t *testing.T) {
	at := func(api, admin string) Listen {
		return Listen{API: listen.Config{Address: api}, Admin: listen.Config{Address: admin}}
	}
	keys := func(c Listen) (all []string) {
		c.Check(func(key, _, _ string) { all = append(all, key) })
		return all
	}
	if found := keys(at("127.0.0.1:1", "127.0.0.1:1")); len(found) != 1 {
		t.Errorf("one address: %q", found)
	}
	if found := keys(at("127.0.0.1:0", "127.0.0.1:0")); found != nil {
		t.Errorf("port 0 twice: %q", found)
	}
	three := at("127.0.0.1:1", "127.0.0.1:2")
	three.Metrics.Address = "127.0.0.1:1"
	if found := keys(three); !slices.Equal(found, []string{"metrics.address"}) {
		t.Errorf("the address of api for metrics: %q", found)
	}
}

func TestOnlyTheListenerOfMetricsMayBeOff(t *testing.T) {
	inDirectory(t)
	wantFaults(t, faults(t, oneIssuer+"listen: {api: {address: ''}, admin: {address: ''}, metrics: {address: ''}}\n"),
		"sidecar.yaml:4: listen.api.address: is empty", "sidecar.yaml:4: listen.admin.address: is empty")
}

func TestTheListenerOfMetricsMayBeOpenToOtherMachines(t *testing.T) {
	inDirectory(t)
	wantFaults(t, faults(t, oneIssuer+"listen: {metrics: {address: '0.0.0.0:9090'}}\n"),
		`sidecar.yaml:4: listen.metrics.address: "0.0.0.0:9090" is neither loopback nor a Unix socket: `+
			"it needs tls or insecure: true")
	parse(t, oneIssuer+"listen: {metrics: {address: '0.0.0.0:9090', insecure: true}}\n")
}
