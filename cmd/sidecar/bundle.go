package main

import "github.com/spf13/cobra"

func bundleCommand(std streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Build, sign, verify, compare and review bundles in OPA's format",
		Long: `Build, sign, verify, compare and review bundles in OPA's format.

Exit status: 0 done; 2 wrong usage.`,
		Example: "  sidecar bundle build bundles/example --with policies -o example.tar.gz\n" +
			"  sidecar bundle review old/policies policies\n" +
			"  sidecar bundle sign example.tar.gz --key keys/release.key --key-id release\n" +
			"  sidecar bundle verify example.tar.gz --key release=keys/release.pub",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(bundleBuildCommand(std), bundleSignCommand(std), bundleVerifyCommand(std),
		bundleInspectCommand(std), bundleDiffCommand(std), bundleReviewCommand(std), bundleKeygenCommand(std))
	return cmd
}
