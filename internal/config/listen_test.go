package config_test

import (
	"testing"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/listen"
)

func TestTwoListenersOnOneAddressAreRefused(t *testing.T) {
	at := func(api, admin string) config.Listen {
		return config.Listen{API: listen.Config{Address: api}, Admin: listen.Config{Address: admin}}
	}
	faults := func(c config.Listen) (keys []string) {
		c.Check(func(key, _, _ string) { keys = append(keys, key) })
		return keys
	}
	if faults := faults(at("127.0.0.1:1", "127.0.0.1:1")); len(faults) != 1 {
		t.Errorf("one address: %q", faults)
	}
	if faults := faults(at("127.0.0.1:0", "127.0.0.1:0")); faults != nil {
		t.Errorf("port 0 twice: %q", faults)
	}
}
