package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/engine"
)

// release and commit are set by the linker; see the Makefile.
var release, commit string

func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}

// versions are those of the parts of the binary.
type versions struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	OPA     string `json:"opa"`
	Rego    string `json:"rego"`
	Go      string `json:"go"`
}

func versionCommand(std streams) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the versions of the sidecar, OPA, Rego and Go",
		Long:    "Print the versions of the sidecar, OPA, Rego and Go.\n\nExit status: 0 printed; 2 wrong usage.",
		Example: "  sidecar version --format json",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			opa, rego := engine.Versions()
			v := versions{version(), cmp.Or(commit, "unknown"), opa, rego, runtime.Version()}
			if format == "json" {
				return writeIndented(std.out, v)
			}
			_, err := fmt.Fprintf(std.out, "version: %s\ncommit:  %s\nopa:     %s\nrego:    %s\ngo:      %s\n",
				v.Version, v.Commit, v.OPA, v.Rego, v.Go)
			return err
		},
	}
	chooseFlag(cmd, &format, "format", "form of what is printed", "text", "json")
	return cmd
}
