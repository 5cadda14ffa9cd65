package native_test

import (
	"testing"

	"github.com/authz-sidecar/sidecar/internal/door/native"
	"github.com/authz-sidecar/sidecar/internal/listen"
)

func TestTwoListenersOnOneAddressAreRefused(t *testing.T) {
	at := func(api, admin string) native.Config {
		return native.Config{API: listen.Config{Address: api}, Admin: listen.Config{Address: admin}}
	}
	faults := func(c native.Config) (keys []string) {
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
