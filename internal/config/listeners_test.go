package config_test

import (
	"path/filepath"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func TestAProgramThatAsksIsStoppedByNoFaultThatMovesNoListener(t *testing.T) {
	for text, wrong := range map[string]bool{
		"listen: {grpc: {address: '127.0.0.1:8190', bearer_keys_file: none}}":                                   false,
		"listen: {forward_auth: [{name: a, profile: caddy, address: '127.0.0.1:8190', limits: {timeout: 0s}}]}": false,
		"listen: {forward_auth: [{name: a, profile: caddy, address: '127.0.0.1:8190', hosts: [a.example]}]}":    false,
		"listen: {api: {hosts: ['a/b']}}":                                                 false,
		"listen: {grpc: {address: '127.0.0.1'}}":                                          true,
		"listen: {forward_auth: [{name: a, profile: caddy, address: '127.0.0.1:99999'}]}": true,
		"listen: {api: {address: '127.0.0.1:8190'}, grpc: {address: '127.0.0.1:8190'}}":   true,
	} {
		file := testkit.WriteFile(t, filepath.Join(t.TempDir(), "sidecar.yaml"), text+"\n")
		if _, found, err := config.LoadListen(file, nil); !found || (err != nil) != wrong {
			t.Errorf("%s: %v", text, err)
		}
	}
}
