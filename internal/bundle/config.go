package bundle

import "time"

// Config says where policies come from.
type Config struct {
	Paths    []string      `yaml:"paths" default:"policies" doc:"Directories of Rego (*.rego) and data (data.json, data.yaml), read together."`
	Bundles  []string      `yaml:"bundles" doc:"Directories in OPA's bundle layout, each with a .manifest that names its roots."`
	Debounce time.Duration `yaml:"debounce" default:"100ms" min:"1ms" max:"10s" doc:"Quiet time after a change before it is read."`
	Poll     time.Duration `yaml:"poll" default:"5s" min:"100ms" doc:"How often contents are compared, for changes that no event reports."`
}
