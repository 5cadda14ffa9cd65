package config

import (
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/bundle/source"
	"github.com/authz-sidecar/sidecar/internal/gate"
)

// Policies says where policies come from: directories, and bundles of package source.
type Policies struct {
	dir.Config `yaml:",inline"`
	Sources    []source.Config `yaml:"sources" doc:"Bundles that are archives: on this machine, on HTTP servers, in OCI registries and object stores."`
	Gate       gate.Config     `yaml:"gate" doc:"What must hold of new policies before they decide."`
}

// Check reports faults of the directories, and of the sources as a list.
func (p Policies) Check(fault func(key, cause, hint string)) {
	p.CheckDirectories(len(p.Sources), fault)
	source.CheckAll(p.Sources, func(key, cause, hint string) { fault("sources"+key, cause, hint) })
}
