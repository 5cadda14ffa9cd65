package main

import (
	"context"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/migrate"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

// addCompletions says for every flag and argument below cmd what shells complete. Nothing is completed by names of
// files unless files are meant.
func addCompletions(cmd *cobra.Command) {
	byName, byCommand := flagCompletions(), argumentCompletions()
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		complete, known := byName[f.Name]
		if c, ok := f.Value.(choice); ok {
			complete = words(c.words...)
		} else if !known {
			complete = cobra.NoFileCompletions
		}
		_ = cmd.RegisterFlagCompletionFunc(f.Name, complete) // the flag is there
	})
	if cmd.ValidArgs == nil {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
		if complete, ok := byCommand[cmd.Name()]; ok {
			cmd.ValidArgsFunction = complete
		}
	}
	for _, c := range cmd.Commands() {
		addCompletions(c)
	}
}

// flagCompletions are what flags take, by their names, which mean the same in each command.
func flagCompletions() map[string]cobra.CompletionFunc {
	return map[string]cobra.CompletionFunc{
		"config":  files("yaml", "yml"),
		"request": files("json"), "introspection": files("json"), "context": files("json"),
		"ca-file": files("pem", "crt"), "client-key-file": files("pem", "key"), "client-secret-file": anyFile,
		"log": anyFile, "decision-log": anyFile, "bootstrap": anyFile, "suite": anyFile,
		"candidate": anyFile, "baseline": anyFile, "output": anyFile,
		"key": anyFile, "reviewed": files("json"), "with": directories,
		"policies": directories, "dir": directories, "out": directories, "write": directories,
		"dialect":    words(dialect.Config{}.Words("dialect")...),
		"mode":       words(enumOf[issuer.Config]("mode")...),
		"auth":       words(enumOf[oauth.Client]("auth")...),
		"from":       words(slices.Concat([]string{"auto"}, migrate.Products(), migrate.Aliases())...),
		"user":       words("subject", "username", "context"),
		"explain":    words(string(brief), string(full)),
		"method":     words(methods()...),
		"issuer":     completeIssuer,
		"entrypoint": completeEntrypoint,
	}
}

// argumentCompletions are what commands take, by their names.
func argumentCompletions() map[string]cobra.CompletionFunc {
	return map[string]cobra.CompletionFunc{
		"check": anyFile, "fmt": anyFile, "test": anyFile,
		"build": anyFile, "sign": first(anyFile), "verify": first(anyFile), "inspect": first(anyFile),
		"copy": first(directories), "migrate": first(directories),
		"rules": first(words(ruleCodes()...)), "requires": first(words(methods()...)),
		"explain": first(func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return []cobra.Completion{cobra.CompletionWithDesc("last", "the last decision of the log")},
				cobra.ShellCompDirectiveDefault
		}),
	}
}

// describeCompletion adds the command completion with what the help of every command has.
func describeCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() != "completion" {
			continue
		}
		const exit = "\n\nExit status: 0 printed; 2 wrong usage."
		c.Args, c.RunE = noArguments, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		c.Short = "Print the completion script of a shell"
		c.Long = `Print a script by which a shell completes commands, flags and their values: words, files of the right
kind, codes, issuers and entrypoints of the configuration. The help of each shell says where the script goes.` + exit
		c.Example = "  source <(sidecar completion bash)"
		for _, shell := range c.Commands() {
			shell.Long = strings.TrimSpace(shell.Long) + exit
			shell.Example = "  sidecar completion " + shell.Name()
		}
	}
}

func methods() []string { return []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"} }

func words(of ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(of, cobra.ShellCompDirectiveNoFileComp)
}

func files(extensions ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(extensions, cobra.ShellCompDirectiveFilterFileExt)
}

func anyFile(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

func directories(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// first completes the first argument only.
func first(complete cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(cmd, args, begun)
	}
}

// enumOf are the words that a key of a configuration struct takes.
func enumOf[T any](key string) []string {
	f, _ := conf.FieldNamed(reflect.TypeFor[T](), key)
	return f.Enum
}

// completeIssuer completes the names of the configured issuers. dev and init have no configuration, and their --issuer
// is an address or a URL.
func completeIssuer(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if cmd.Flags().Lookup("config") == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []cobra.Completion
	if cfg := config.LoadPartly(typed(cmd).found(), os.Environ()); cfg != nil {
		for _, i := range cfg.Issuers {
			names = append(names, i.Endpoint.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeEntrypoint completes the entrypoints of the policies that the command would read.
func completeEntrypoint(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	from := typed(cmd)
	if cmd.Flags().Lookup("policies") == nil {
		from.paths = args
	}
	if cmd.Flags().Lookup("config") == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	from.offline = true
	cfg, err := from.load(io.Discard)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	_, policy, err := app.Load(context.WithoutCancel(cmd.Context()), cfg)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return policy.Entrypoints(), cobra.ShellCompDirectiveNoFileComp
}

// typed is the source that the flags typed so far name.
func typed(cmd *cobra.Command) *source {
	s := &source{file: cmd.Flags().Lookup("config").Value.String()}
	if f := cmd.Flags().Lookup("policies"); f != nil && f.Value.String() != "[]" {
		s.paths = strings.Split(strings.Trim(f.Value.String(), "[]"), ",")
	}
	return s
}
