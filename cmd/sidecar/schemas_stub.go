package main

import "github.com/authz-sidecar/sidecar/internal/config"

func schemaNamed(name string) ([]byte, bool) {
	if name == "config" {
		return config.Schema(), true
	}
	return nil, false
}
