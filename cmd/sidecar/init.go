package main

import (
	"bufio"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/doctor"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/token"
)

//go:embed template
var templates embed.FS

// start is what a first configuration is made of.
type start struct {
	Issuer, ClientID, Dialect, Mode, Auth, Audience, SecretFile, CAFile string

	dir      string
	insecure bool
}

// Insecure reports whether the issuer is reached without TLS.
func (s start) Insecure() bool { return s.insecure }

func initCommand(std streams) *cobra.Command {
	s := &start{}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a first configuration and a first policy for an authorization server",
		Long: `Write a first configuration and a first policy for an authorization server.

The server's metadata is read, what it does not say is asked, all of it is tried, and a commented sidecar.yaml and
policies/authz/decision.rego are written, which "sidecar serve" starts with. Existing files are left unchanged.`,
		Example: "  sidecar init --issuer https://login.acme.example --client-id orders-api",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context(), std) },
	}
	f := cmd.Flags()
	f.StringVar(&s.Issuer, "issuer", "", "issuer identifier of the authorization server, a URL")
	f.StringVar(&s.ClientID, "client-id", "", "client id of the sidecar at the server")
	f.StringVar(&s.SecretFile, "client-secret-file", "",
		"file that holds the client secret; asked for when empty, and then kept in ./client-secret")
	f.StringVar(&s.Dialect, "dialect", "", "kind of server (default guessed from its metadata)")
	f.StringVar(&s.Mode, "mode", "", "introspect or jwt (default introspect, where the server can)")
	f.StringVar(&s.Auth, "auth", "", "how the client authenticates (default what the metadata says)")
	f.StringVar(&s.Audience, "audience", "", "identifier of your API in the aud of tokens; asked for when empty")
	f.StringVar(&s.CAFile, "ca-file", "",
		"PEM file of the authority of the server's certificate, when the system does not know it")
	f.StringVar(&s.dir, "dir", ".", "directory to write to")
	_ = cmd.MarkFlagRequired("issuer") // the flag is there
	_ = cmd.MarkFlagRequired("client-id")
	return cmd
}

func (s *start) run(ctx context.Context, std streams) error {
	target := filepath.Join(s.dir, "sidecar.yaml")
	if _, err := os.Stat(target); err == nil {
		return &failure{
			err: fmt.Errorf("write %s: the file exists", target), exit: exitFailed,
			hint: "name another directory with --dir, or change the file and run: sidecar check --config " + target +
				" --online",
		}
	}
	doc, err := s.discover(ctx, std)
	if err != nil {
		return err
	}
	s.guess(doc, std)
	if err := s.ask(std); err != nil {
		return err
	}
	src, err := s.render()
	if err != nil {
		return err
	}
	policy, err := templates.ReadFile("template/decision.rego")
	if err != nil {
		return err
	}
	if err := write(filepath.Join(s.dir, "policies", "authz", "decision.rego"), policy, 0o644, std); err != nil {
		return err
	}
	if err := write(target, src, 0o644, std); err != nil {
		return err
	}
	return s.try(ctx, target, std)
}

// discover reads the metadata. A server that spells its issuer in another way ends the command: nothing would work
// later.
func (s *start) discover(ctx context.Context, std streams) (*oauth.Metadata, error) {
	s.insecure = strings.HasPrefix(s.Issuer, "http://")
	const patience = 10 * time.Second
	server, err := oauth.New(oauth.Config{
		Name: "new", Issuer: s.Issuer, AllowInsecureHTTP: s.insecure, CAFile: s.CAFile,
		Client: oauth.Client{Auth: oauth.NoAuth}, Timeout: patience, MaxResponseBytes: 1 << 20,
	}, oauth.Deps{})
	if err != nil {
		return nil, &failure{err: err, hint: "--issuer takes a URL such as https://login.acme.example/realms/acme",
			exit: exitUsage}
	}
	defer server.Close()
	doc, finding := doctor.Discover(ctx, server, s.Issuer, patience)
	if finding.Level == doctor.Fault {
		return nil, &failure{err: errors.New(finding.Says), hint: inFlags(finding.Do), exit: exitFailed}
	}
	printFindings(std.err, []doctor.Finding{finding})
	return doc, nil
}

// inFlags rewrites a remedy for init: flags in place of the configuration keys that they fill.
func inFlags(remedy string) string {
	return strings.NewReplacer(
		"set ca_file to ", "name with --ca-file ", "write issuer exactly as the server does",
		"give --issuer exactly as the server calls itself",
		"compare issuer with", "compare --issuer with", "or set introspection_endpoint",
		"or write sidecar.yaml by hand, with introspection_endpoint",
	).Replace(remedy)
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
	case s.Mode == "jwt" && s.SecretFile == "":
		s.Auth = oauth.NoAuth // no request is made
	default:
		s.Auth = g.Auth
	}
}

// ask prompts for what neither flags nor metadata say. An empty audience means that the policies check it.
func (s *start) ask(std streams) error {
	in := bufio.NewReader(io.LimitReader(std.in, 64<<10))
	question := func(text string) (string, error) {
		fmt.Fprint(std.err, text)
		line, err := in.ReadString('\n')
		if err != nil && (line == "" || !errors.Is(err, io.EOF)) {
			return "", nil // standard input has no more lines
		}
		return strings.TrimSpace(line), nil
	}
	var err error
	if s.Audience == "" {
		s.Audience, err = question("Identifier of your API in the aud of its tokens (empty: the policies check aud): ")
		if err != nil {
			return err
		}
	}
	if s.SecretFile != "" || !strings.HasPrefix(s.Auth, "client_secret") {
		return nil
	}
	s.SecretFile = filepath.Join(s.dir, "client-secret")
	if _, err := os.Lstat(s.SecretFile); err == nil {
		leave(s.SecretFile, std)
		return nil
	}
	clientSecret, err := question("Client secret of " + s.ClientID + " (kept in " + s.SecretFile + "): ")
	if err != nil {
		return err
	}
	if clientSecret == "" {
		return &failure{
			err: errors.New("no client secret was given"), exit: exitUsage,
			hint: "name a file that holds it with --client-secret-file, or choose another method with --auth",
		}
	}
	return write(s.SecretFile, []byte(clientSecret+"\n"), 0o600, std)
}

func (s *start) render() ([]byte, error) {
	quote := template.FuncMap{"quote": func(v string) string { return fmt.Sprintf("%q", v) }}
	t, err := template.New("sidecar.yaml.tmpl").Funcs(quote).ParseFS(templates, "template/sidecar.yaml.tmpl")
	if err != nil {
		return nil, err
	}
	data := *s
	for _, name := range []*string{&data.SecretFile, &data.CAFile} {
		if *name, err = s.fromFile(*name); err != nil {
			return nil, err
		}
	}
	var b strings.Builder
	err = t.Execute(&b, struct {
		start
		Policies string
		Wide     int
	}{data, "policies", token.MaxBytes})
	return []byte(b.String()), err
}

// fromFile is a name as it is written into the configuration file: from there when it is below, so that the directory
// can be moved, and else the whole of it.
func (s *start) fromFile(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	whole, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	dir, err := filepath.Abs(s.dir)
	if err != nil {
		return "", err
	}
	if below, err := filepath.Rel(dir, whole); err == nil && filepath.IsLocal(below) {
		return below, nil
	}
	return whole, nil
}

// write makes a file that is not there yet.
func write(name string, content []byte, mode fs.FileMode, std streams) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		leave(name, std)
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		_ = f.Close()
		return err
	}
	fmt.Fprintf(std.err, "sidecar: wrote %s\n", name)
	return f.Close()
}

func leave(name string, std streams) {
	fmt.Fprintf(std.err, "sidecar: %s exists and is left unchanged\n", name)
}

// try reads the configuration as serve will, and examines the issuer.
func (s *start) try(ctx context.Context, file string, std streams) error {
	cfg, err := config.Load(file, os.Environ())
	if err != nil {
		return err
	}
	findings, err := doctor.Examine(ctx, cfg.Issuers[0])
	if err != nil {
		return err
	}
	printFindings(std.out, findings)
	fmt.Fprintln(std.out, summary(findings))
	if !doctor.Sound(findings) {
		return &failure{
			err: errors.New("configuration written, but the server rejects it"), exit: exitFailed,
			hint: "correct " + file + " as the lines above say, then run: sidecar check --config " + file +
				" --online",
		}
	}
	fmt.Fprintf(std.out, "start it:  sidecar serve --config %[1]s\n"+
		"ask it:    printf %%s \"$TOKEN\" | sidecar introspect --config %[1]s\n", file)
	return nil
}
