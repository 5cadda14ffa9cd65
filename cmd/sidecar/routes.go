package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/access"
	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/policytest"
)

// matrix is what the flags of routes say.
type matrix struct {
	source
	suites      []string
	format, now string
	timeout     time.Duration
}

func routesCommand(std streams) *cobra.Command {
	var m matrix
	cmd := &cobra.Command{
		Use:   "routes",
		Short: "Print the access matrix: what each route asks for, and which token may take it",
		Long: `Print the access matrix: what each route asks for, by scopes, audience, tenant rule, roles and login, and which of
the tokens of the suites may take it. Routes are those of data.routes; of policies that do not use them, the methods and
paths that the policies name. Tokens are decided about by the policies as they are served, with a request that names the
tenant of the token where the route asks for it.

Suites are found as sidecar test finds them: in the policy directories, and in policy_test beside the configuration.

Exit status: 0 printed, also when routes are left out for lack of time, which is told; 2 wrong usage; 3 policies or suites do
not load.`,
		Example: `  sidecar routes
  sidecar routes --policies policies,bundles/example --suite policy_test --format markdown`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return m.run(cmd.Context(), std) },
	}
	f := cmd.Flags()
	m.flags(cmd)
	f.StringSliceVar(&m.suites, "suite", nil, "directories or files of suites, `PATH,...`, whose tokens are tried, "+
		"instead of "+
		"those found")
	chooseFlag(cmd, &m.format, "format", "form of the matrix", "text", "json", "markdown")
	f.StringVar(&m.now, "now", "", "`TIME` at which routes are looked at, such as 2026-11-20T12:00:00Z (default the "+
		"present)")
	f.DurationVar(&m.timeout, "timeout", time.Minute, "`DURATION` after which the routes that are left are left out")
	return cmd
}

func (m *matrix) run(ctx context.Context, std streams) error {
	now, err := instant(m.now)
	if err != nil {
		return err
	}
	cfg, err := m.load(std.err)
	if err != nil {
		return err
	}
	set, policy, err := app.Load(ctx, cfg)
	if err != nil {
		return err
	}
	principals, err := m.principals(ctx, cfg, policy)
	if err != nil {
		return err
	}
	analyst, err := access.New(cfg, set, policy, now)
	if err != nil {
		return err
	}
	out, err := analyst.Routes(ctx, principals, m.timeout)
	if err != nil {
		return err
	}
	switch m.format {
	case "json":
		return writeIndented(std.out, out)
	case "markdown":
		return out.WriteMarkdown(std.out)
	}
	return out.WriteText(std.out)
}

// principals are the tokens and requests of the suites.
func (m *matrix) principals(
	ctx context.Context, cfg *config.Config, policy *engine.Policy,
) (out access.Principals, err error) {
	dirs := m.suites
	if dirs == nil {
		dirs = slices.Concat(cfg.Policies.Paths, cfg.Policies.Bundles, m.testsBeside())
		dirs = slices.DeleteFunc(dirs, func(d string) bool {
			_, err := os.Stat(d)
			return err != nil
		})
	}
	suites, err := policytest.LoadSuites(cfg, dirs)
	if err != nil {
		return out, err
	}
	if m.suites != nil && len(suites) == 0 {
		return out, &failure{err: fmt.Errorf("--suite: no suite in %v", m.suites), exit: exitUsage,
			hint: "files of suites are named *_suite.yaml"}
	}
	return access.PrincipalsOf(ctx, suites, policy, cfg), nil
}
