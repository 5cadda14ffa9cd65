package config

import (
	"strings"

	"github.com/authz-sidecar/sidecar/internal/listen"
)

// Listen has the listener of each door.
type Listen struct {
	API   listen.Config `yaml:"api" doc:"Decisions and probes, for applications and gateways."`
	Admin listen.Config `yaml:"admin" doc:"Metrics, status and probes, for operators."`
}

// Check reports two listeners on one address.
func (c Listen) Check(fault func(key, cause, hint string)) {
	if c.API.Address != "" && c.API.Address == c.Admin.Address && !strings.HasSuffix(c.API.Address, ":0") {
		fault("admin.address", "is the address of api too", "give each listener an address of its own")
	}
}
