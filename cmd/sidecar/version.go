package main

import (
	"cmp"
	"fmt"
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

func versionCommand(std streams) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the versions of the sidecar, OPA and Rego",
		Long:    "Print the versions of the sidecar, OPA and Rego.\n\nThe exit status is 0, and 2 for wrong usage.",
		Example: "  sidecar version",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			opa, rego := engine.Versions()
			_, err := fmt.Fprintf(std.out, "version: %s\ncommit:  %s\nopa:     %s\nrego:    %s\n",
				version(), cmp.Or(commit, "unknown"), opa, rego)
			return err
		},
	}
}
