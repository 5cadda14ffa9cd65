package main

import "github.com/spf13/cobra"

func bundleCommand(std streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Compare and review versions of policies",
		Long: `Compare and review versions of policies.

Exit status: 0 done; 2 wrong usage.`,
		Example: "  sidecar bundle review old/policies policies\n  sidecar bundle diff --old-ref main policies",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(bundleDiffCommand(std), bundleReviewCommand(std))
	return cmd
}
