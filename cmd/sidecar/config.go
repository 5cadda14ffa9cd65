package main

import (
	"cmp"
	"os"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/config"
)

func configCommand(std streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config",
		Short:   "Print the configuration, or its schema",
		Long:    "Print the configuration, or its schema.\n\nExit status: 0 printed; 2 another name.",
		Example: "  sidecar config print --config sidecar.yaml",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(configSchemaCommand(std), configPrintCommand(std))
	return cmd
}

func configSchemaCommand(std streams) *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of the configuration",
		Long:    "Print the JSON Schema of the configuration.\n\nExit status: 0 printed; 2 wrong usage.",
		Example: "  sidecar config schema > sidecar.schema.json",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := std.out.Write(config.Schema())
			return err
		},
	}
}

func configPrintCommand(std streams) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "print",
		Short: "Print the effective configuration: defaults, file and environment together",
		Long: `Print the effective configuration: defaults, file and environment together, without secrets.

Exit status: 0 printed; 1 the configuration has faults; 2 wrong usage.`,
		Example: "  SIDECAR_LISTEN_API_ADDRESS=127.0.0.1:9000 sidecar config print -c sidecar.yaml",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := config.Load(file, os.Environ())
			if err != nil {
				return err
			}
			return config.Print(cfg, std.out)
		},
	}
	configFlag(cmd, &file)
	return cmd
}

// configFlag adds the flag --config to a command that needs a configuration. SIDECAR_CONFIG names the file where the
// flag does not.
func configFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "config", "c", cmp.Or(os.Getenv(config.FileVariable), defaultFile),
		"configuration `FILE`, also named by "+config.FileVariable)
}
