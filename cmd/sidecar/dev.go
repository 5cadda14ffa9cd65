package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/bundle/library"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
)

// development is what the flags of dev say.
type development struct {
	api, admin, issuer string
	policies           []string
	// write is the directory to lay the example out in; empty for none.
	write string
	// log is the file of the decision log; empty for a temporary one.
	log string
}

func devCommand(std streams) *cobra.Command {
	d := &development{}
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Try everything on this machine: authorization server, sidecar and policies",
		Long: `Start a development authorization server and the sidecar in front of it on loopback, with the policies of this
directory or, where it has no folder "policies", with those of an example API that the binary carries. Prints lines to
paste: one request that is allowed, and others that are denied.

With --write the policies of the example are laid out as files in a directory, and are served from there: edit one,
save it, and ask again. Files that exist are left unchanged.

Requests without a token are decided by the policies too (decision.token: optional), so that anonymous routes can be
tried, unless the policies have no answer to them; serve refuses them by default. Every SIDECAR_* variable of serve works here.

The server issues tokens to clients, and has no login page. Its client writer may say in the parameter claims of a token
request, a JSON object, what the server will answer about the token: another sub, scope, aud, tenant, roles, acr, auth_time.

Standard error has a line a decision, with its cause and its id, which sidecar explain takes.

Exit status: 0 after Ctrl-C or SIGTERM; 1 it cannot start or fails; 2 wrong usage; 3 the policies do not load.`,
		Example: "  sidecar dev\n  sidecar dev --write orders\n" +
			"  sidecar dev --api 127.0.0.1:9181 --policies policies,bundles/example",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return d.run(cmd.Context(), std, environment(cmd))
		},
	}
	f := cmd.Flags()
	f.StringVar(&d.api, "api", "127.0.0.1:8181", "`ADDRESS` of the sidecar's API")
	f.StringVar(&d.admin, "admin", "127.0.0.1:8282", "`ADDRESS` of status and metrics")
	f.StringVar(&d.issuer, "issuer", "127.0.0.1:8180", "`ADDRESS` of the development authorization server")
	f.StringSliceVar(&d.policies, "policies", nil,
		"policy directories, bundle folders and archives, `DIR,...` (default policies, and bundles/example where it "+
			"exists)")
	f.StringVar(&d.write, "write", "", "`DIR` to lay the policies of the example API out in, and to serve from")
	f.StringVar(&d.log, "decision-log", "",
		"`FILE` to append decisions to (default a temporary one, which is removed at the end)")
	cmd.MarkFlagsMutuallyExclusive("write", "policies")
	return cmd
}

func (d *development) run(ctx context.Context, std streams, environ []string) error {
	paths, err := d.paths(std)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", d.issuer)
	if err != nil {
		return &failure{
			err: fmt.Errorf("open the development authorization server: %w", err), exit: exitFailed,
			hint: "choose another address for it with --issuer, such as --issuer 127.0.0.1:0",
		}
	}
	defer func() { _ = ln.Close() }()
	parties := newParties()
	server := parties.config(devissuer.URL(ln))
	issuer, err := devissuer.New(server)
	if err != nil {
		return err
	}
	tokens, err := issueTokens(issuer, server.Clients)
	if err != nil {
		return err
	}
	logFile, removeLog, err := d.logFile(environ)
	if err != nil {
		return err
	}
	defer removeLog()
	cfg, err := d.config(issuer.Issuer(), parties.resourceServer.secret, paths, logFile, environ)
	if err != nil {
		return err
	}

	d.settleToken(ctx, cfg, environ, std.err)

	// The authorization server outlives the sidecar, which asks it until the end.
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	stopped := make(chan error, 1)
	go func() { stopped <- issuer.Serve(serving, ln) }()
	err = serve(ctx, cfg, std, telemetry.NewLogger(cfg.Telemetry.Log, std.err), audience{
		started: func(a *app.App) {
			tour{
				out: std.out, issuer: issuer.Issuer(), tokens: tokens, writer: parties.writer,
				resourceServer: parties.resourceServer, policies: placesOf(cfg.Policies.Config),
				explain: explainLast(cfg),
				token:   string(cfg.Decision.Token),
				api:     "http://" + a.APIAddr().String(), admin: "http://" + a.AdminAddr().String(),
			}.print()
		},
		lines: std.err,
	})
	stopServing()
	return errors.Join(err, <-stopped)
}

// paths are the policy directories and bundle folders; none when the example of the binary is served.
func (d *development) paths(std streams) ([]string, error) {
	switch {
	case len(d.policies) > 0:
		return d.policies, nil
	case d.write != "":
		files, err := demoFiles()
		if err != nil {
			return nil, err
		}
		l := &layout{dir: d.write}
		if err := l.write(files); err != nil {
			return nil, fmt.Errorf("lay out the example: %w", err)
		}
		l.tell(std.out)
	}
	return pathsIn(d.write), nil
}

// devSecretVariable holds the sidecar's own secret, for this process only: secrets come from files or the environment.
const devSecretVariable = "DEV_INTROSPECTION_SECRET"

// config reads the configuration as every configuration is read: through YAML, the environment and all checks.
func (d *development) config(
	issuer string, clientSecret secret.Text, paths []string, logFile string, environ []string,
) (*config.Config, error) {
	if err := os.Setenv(devSecretVariable, clientSecret.Reveal()); err != nil {
		return nil, err
	}
	defaults, named := config.Default(), config.Default()
	setPaths(named, paths)
	if len(paths) == 0 {
		defaults.Policies.Paths, defaults.Policies.Embedded = nil, library.Example()
	}
	src, err := yaml.Marshal(map[string]any{
		"listen": map[string]any{"api": map[string]any{"address": d.api}, "admin": map[string]any{"address": d.admin}},
		"issuers": []any{map[string]any{
			"name": "dev", "issuer": issuer, "allow_insecure_http": true, "tenant": []string{"/tenant"},
			"client": map[string]any{"id": resourceServerID, "secret": map[string]any{"env": devSecretVariable}},
			// A second, so that a revocation takes effect while the author watches.
			"cache": map[string]any{"ttl": "1s", "negative_ttl": "1s"},
		}},
		"policies": map[string]any{"paths": named.Policies.Paths, "bundles": named.Policies.Bundles},
		// The example has a route that needs no token.
		"decision":     map[string]any{"token": "optional"},
		"decision_log": map[string]any{"file": logFile},
	})
	if err != nil {
		return nil, err
	}
	environ = append(environ, devSecretVariable+"="+clientSecret.Reveal())
	cfg, err := config.ParseOver(defaults, "(sidecar dev)", src, environ)
	if err == nil && len(cfg.Policies.Paths)+len(cfg.Policies.Bundles) > 0 {
		cfg.Policies.Embedded = nil // variables of the environment name directories
	}
	return cfg, err
}

// settleToken lets serve's default hold where policies load with it alone: those that can be undefined without a
// token.
func (d *development) settleToken(ctx context.Context, cfg *config.Config, environ []string, warn io.Writer) {
	chosen := slices.ContainsFunc(environ, func(v string) bool { return strings.HasPrefix(v, tokenVariable) })
	if _, _, err := app.Load(ctx, cfg); err == nil || chosen {
		return
	}
	serving := *cfg
	serving.Decision.Token = config.Default().Decision.Token
	if _, _, err := app.Load(ctx, &serving); err != nil {
		return
	}
	cfg.Decision.Token = serving.Decision.Token
	fmt.Fprintln(warn,
		"sidecar: the policies have no answer to a request without a token: decision.token is required "+
			"here, as it is by default in serve")
}

// tokenVariable is the variable of serve that sets decision.token.
const tokenVariable = "SIDECAR_DECISION_TOKEN="

// environment is that of the process without the variables that flags of this call override.
func environment(cmd *cobra.Command) []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		return cmd.Flags().Changed("decision-log") && strings.HasPrefix(v, logVariable) ||
			cmd.Flags().Changed("api") && strings.HasPrefix(v, "SIDECAR_LISTEN_API_ADDRESS=") ||
			cmd.Flags().Changed("admin") && strings.HasPrefix(v, "SIDECAR_LISTEN_ADMIN_ADDRESS=")
	})
}

// party is a client or resource server with a secret of this run.
type party struct {
	id     string
	secret secret.Text
}

func newParty(id string) party { return party{id, secret.New(rand.Text())} }

const resourceServerID = "orders-api"

// parties take part in the example: the API, and four clients.
type parties struct {
	resourceServer                   party
	reader, writer, stranger, globex party
}

func newParties() parties {
	return parties{newParty(resourceServerID), newParty("reader"), newParty("writer"), newParty("stranger"),
		newParty("globex")}
}

func (p parties) config(issuer string) devissuer.Config {
	client := func(who party, tenant, audience string, scopes ...string) devissuer.Client {
		return devissuer.Client{ID: who.id, Secret: who.secret, Scopes: scopes, Audiences: []string{audience},
			Tenant: tenant}
	}
	writer := client(p.writer, "acme", "orders-api", "orders:read", "orders:write", "reports:read")
	writer.ChoosesClaims = true
	return devissuer.Config{
		Issuer: issuer,
		Clients: []devissuer.Client{
			client(p.reader, "acme", "orders-api", "orders:read"),
			writer,
			client(p.stranger, "acme", "billing-api", "orders:read"),
			// The API is a client too: the doctor introspects a token of its own.
			client(p.resourceServer, "acme", resourceServerID, "orders:read"),
			client(p.globex, "globex", "orders-api", "orders:read"),
		},
	}
}
