package main

import (
	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/bundler"
)

func bundleInspectCommand(std streams) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "inspect FILE|DIR",
		Short: "Print what is in a bundle: roots, packages, entrypoints, data, tests, signatures",
		Long: `Print what is in a bundle, an archive or a folder: digest, revision, roots, packages, entrypoints with their titles,
what they reach by http.send and the like, data, tests, and what its signatures say of themselves. Nothing is verified:
sidecar bundle verify does that.

Exit status: 0 printed; 1 the bundle is not there; 2 wrong usage; 3 the bundle cannot be read.`,
		Example: "  sidecar bundle inspect bundles/example\n  sidecar bundle inspect example.tar.gz --format json",
		Args:    takes(1, "one bundle"),
		RunE: func(_ *cobra.Command, args []string) error {
			a, err := bundler.Read(args[0])
			if err != nil {
				return err
			}
			in, err := bundler.Inspect(a)
			if err != nil {
				return err
			}
			if format == "json" {
				return writeIndented(std.out, in)
			}
			return in.WriteText(std.out)
		},
	}
	chooseFlag(cmd, &format, "format", "form of the result", "text", "json")
	return cmd
}
