package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/doctor"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

// start is what a first configuration is made of.
type start struct {
	Issuer, ClientID, Dialect, Mode, Auth, Audience string
	SecretFile, KeyFile, KeyID, CAFile              string

	dir string
	// typed is the secret that was asked for; nil when it is in a file.
	typed []byte
}

// Insecure reports whether the issuer is reached without TLS.
func (s start) Insecure() bool { return strings.HasPrefix(s.Issuer, "http://") }

func initCommand(std streams) *cobra.Command {
	s := &start{}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a first configuration, routes, policy and suite for an authorization server",
		Long: `Write a first configuration, routes, a policy and a suite of tests for an authorization server.

The command reads the server's metadata, asks you for what the metadata lacks, and tries everything at the server.
Only then it writes the files: sidecar.yaml, policies/routes/data.yaml, policies/authz/decision.rego,
policy_test/first_suite.yaml, and the JSON Schemas by which editors complete them, in .schemas. Files that exist are
left unchanged.

Exit status: 0 all is written; 1 the server does not accept the configuration, or sidecar.yaml exists; 2 wrong usage. Unless
it is 0 nothing is written.`,
		Example: "  sidecar init --issuer https://login.acme.example --client-id orders-api --dir orders",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context(), std) },
	}
	f := cmd.Flags()
	f.StringVar(&s.Issuer, "issuer", "", "issuer identifier of the authorization server, a `URL`")
	f.StringVar(&s.ClientID, "client-id", "", "client `ID` of the sidecar at the server")
	f.StringVar(&s.SecretFile, "client-secret-file", "",
		"`FILE` that holds the client secret (default: it is asked for, and kept in the file client-secret)")
	f.StringVar(&s.KeyFile, "client-key-file", "",
		"`FILE` that holds the private key of the client, PEM or JWK; the method is private_key_jwt then")
	f.StringVar(&s.KeyID, "client-key-id", "", "kid, an `ID`, of that key at the server")
	f.StringVar(&s.Dialect, "dialect", "", "kind of server, a `DIALECT` (default guessed from its metadata)")
	f.StringVar(&s.Mode, "mode", "", "`MODE` in which tokens are validated, such as introspect or jwt (default introspect, "+
		"where the server can)")
	f.StringVar(&s.Auth, "auth", "", "`METHOD` by which the client authenticates (default what the metadata says)")
	f.StringVar(&s.Audience, "audience", "", "`IDENTIFIER` of your API in the aud of tokens; asked for when empty")
	f.StringVar(&s.CAFile, "ca-file", "",
		"PEM `FILE` of the authority of the server's certificate, when the system does not know it")
	f.StringVar(&s.dir, "dir", ".", "`DIR` to write to")
	_ = cmd.MarkFlagRequired("issuer") // the flag is there
	_ = cmd.MarkFlagRequired("client-id")
	return cmd
}

func (s *start) run(ctx context.Context, std streams) error {
	if err := s.checkTarget(); err != nil {
		return err
	}
	if err := s.checkFlags(); err != nil {
		return err
	}
	doc, err := s.discover(ctx)
	if err != nil {
		return err
	}
	s.guess(doc, std)
	if err := s.ask(ctx, std); err != nil {
		return err
	}
	if err := s.try(ctx, std); err != nil {
		return err
	}
	return s.write(ctx, std)
}

// target is the configuration file.
func (s *start) target() string { return filepath.Join(s.dir, defaultFile) }

// checkTarget refuses a directory that has a configuration, or is none.
func (s *start) checkTarget() error {
	if info, err := os.Stat(s.dir); err == nil && !info.IsDir() {
		return &failure{err: fmt.Errorf("--dir: %s is not a directory", s.dir), exit: exitUsage,
			hint: "name a directory, which may be a new one"}
	}
	if _, err := os.Lstat(s.target()); err == nil {
		return &failure{
			err: fmt.Errorf("write %s: the file exists", s.target()), exit: exitFailed,
			hint: "name another directory with --dir, or change the file and run: sidecar check --config " +
				s.target() + " --online",
		}
	}
	return nil
}

// discover reads the metadata. A server that spells its issuer in another way ends the command: nothing would work
// later.
func (s *start) discover(ctx context.Context) (*oauth.Metadata, error) {
	const patience = 10 * time.Second
	server, err := oauth.New(oauth.Config{
		Name: "new", Issuer: s.Issuer, AllowInsecureHTTP: s.Insecure(), CAFile: s.CAFile,
		Client: oauth.Client{Auth: oauth.NoAuth}, Timeout: patience, MaxResponseBytes: 1 << 20,
	}, oauth.Deps{})
	if err != nil {
		f := &failure{err: err, hint: "--issuer takes a URL such as https://login.acme.example/realms/acme",
			exit: exitUsage}
		if _, cause, ok := strings.Cut(err.Error(), "ca_file: "); ok {
			f.err, f.hint = errors.New("--ca-file: "+cause), "name a file of certificates in PEM"
		}
		return nil, f
	}
	defer server.Close()
	doc, finding := doctor.Discover(ctx, server, s.Issuer, patience)
	if finding.Level == doctor.Fault {
		return nil, &failure{err: errors.New(finding.Says), hint: inFlags(finding.Do), exit: exitFailed}
	}
	return doc, nil
}

func (s *start) guess(doc *oauth.Metadata, std streams) {
	g := doctor.Propose(s.Issuer, doc)
	if s.Dialect == "" {
		s.Dialect = g.Dialect
		switch {
		case g.Why != "":
			fmt.Fprintf(std.err, "sidecar: %s: that looks like %s; choose another with --dialect\n", g.Why, g.Dialect)
		case len(g.Maybe) > 1:
			fmt.Fprintf(std.err, "sidecar: this may be %s, and the metadata does not tell which: dialect is %s; "+
				"choose with --dialect\n",
				strings.Join(g.Maybe, " or "), g.Dialect)
		case len(g.Maybe) == 1:
			fmt.Fprintf(std.err, "sidecar: this may be %s, by a single sign: dialect is %s; choose with --dialect\n",
				g.Maybe[0], g.Dialect)
		}
	}
	if s.Mode == "" {
		s.Mode = g.Mode
	}
	switch {
	case s.Auth != "":
	case s.KeyFile != "":
		s.Auth = "private_key_jwt"
	case s.Mode == "jwt" && s.SecretFile == "":
		s.Auth = oauth.NoAuth // no request is made
	default:
		s.Auth = g.Auth
	}
}

// ask prompts for what neither flags nor metadata say. The secret comes first, so that one that is piped in is never
// taken for something that is shown. An empty audience means that the policies check it.
func (s *start) ask(ctx context.Context, std streams) error {
	p := newPrompt(ctx, std)
	if s.SecretFile == "" && strings.HasPrefix(s.Auth, "client_secret") {
		if err := s.askSecret(p); err != nil {
			return err
		}
	}
	if s.Audience != "" {
		return nil
	}
	var err error
	s.Audience, err = p.line("Identifier of your API in the aud of its tokens (empty: only the policies check aud): ")
	return err
}

// secretFile is where a secret that was typed is kept.
const secretFile = "client-secret"

func (s *start) askSecret(p *prompt) error {
	kept := filepath.Join(s.dir, secretFile)
	if _, err := os.Lstat(kept); err == nil {
		s.SecretFile = kept
		fmt.Fprintf(p.out, "sidecar: %s exists, and is used as the client secret\n", kept)
		return nil
	}
	typed, err := p.secret("Client secret of " + s.ClientID + " (kept in " + kept + "): ")
	if err != nil {
		return err
	}
	if typed == "" {
		return &failure{
			err: errors.New("no client secret was given"), exit: exitUsage,
			hint: "name a file that holds it with --client-secret-file, or choose another method with --auth",
		}
	}
	s.typed = []byte(typed + "\n")
	return nil
}

// try examines the issuer and compiles the policy, before anything is written.
func (s *start) try(ctx context.Context, std streams) error {
	cfg, err := s.trialConfig()
	if err != nil {
		return err
	}
	if _, _, err := app.Load(ctx, cfg); err != nil {
		return err
	}
	findings, err := doctor.Examine(ctx, cfg.Issuers[0])
	if err != nil {
		return &failure{err: errors.New(inFlags(err.Error())), exit: exitFailed, hint: "correct that file"}
	}
	for i := range findings {
		findings[i].Do = inFlags(findings[i].Do)
	}
	printFindings(std.out, findings)
	fmt.Fprintln(std.out, summary(findings))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !doctor.Sound(findings) {
		return &failure{
			err: errors.New("the server does not accept this configuration: nothing is written"), exit: exitFailed,
			hint: "do what the lines above say, then run sidecar init again",
		}
	}
	return nil
}

// write lays the files out. What is written must load together with what was there, or else nothing of it stays.
func (s *start) write(ctx context.Context, std streams) error {
	files, err := s.files()
	if err != nil {
		return err
	}
	l := &layout{dir: s.dir}
	if err := l.write(files); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	cfg, err := config.Load(s.target(), os.Environ())
	if err == nil {
		_, _, err = app.Load(ctx, cfg)
	}
	if err != nil {
		l.undo()
		l.tell(std.out)
		fmt.Fprintln(std.err, "sidecar: with the files that are there, the following is wrong; what was written is "+
			"removed:")
		return err
	}
	l.tell(std.out)
	where := ""
	if s.dir != "." {
		where = "--config " + s.target()
	}
	for _, next := range []struct{ what, command string }{
		{"test it:", "sidecar test"}, {"check it:", "sidecar check"}, {"serve it:", "sidecar serve"},
		{"ask it:", `printf %s "$TOKEN" | sidecar introspect`},
	} {
		fmt.Fprintf(std.out, "%-10s %s\n", next.what, strings.TrimSpace(next.command+" "+where))
	}
	return nil
}
