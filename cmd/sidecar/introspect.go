package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/doctor"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/token"
)

func introspectCommand(std streams) *cobra.Command {
	var file string
	how := introspecting{}
	cmd := &cobra.Command{
		Use:   "introspect",
		Short: "Ask the configured issuer about a token read from standard input",
		Long: `Introspect a token from standard input at the configured issuer, past all caches, and print the response:
raw, as policies will see it, and in words. Of several issuers, --issuer names one. Without it, the issuer is the one that
serve would choose for a request without host and headers.

Exit status: 0 the token would be accepted; 1 it would not, or with --strict there is a doubt; 2 wrong usage.`,
		Example: `  printf %s "$TOKEN" | sidecar introspect --config sidecar.yaml`,
		Args:    tokenOnInput,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(file, os.Environ())
			if err != nil {
				return err
			}
			tok, err := readToken(std.in)
			if err != nil {
				return err
			}
			return introspectToken(cmd.Context(), cfg.Issuers, how, tok, std)
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringVar(&how.issuer, "issuer", "", "`NAME` of the issuer to ask (default that of the token)")
	chooseFlag(cmd, &how.format, "format", "form of what is printed", "text", "json")
	how.limit.flag(cmd)
	return cmd
}

// tokenOnInput refuses arguments without showing them: the first one is mostly the token.
func tokenOnInput(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &failure{err: errors.New("sidecar introspect takes no arguments"), exit: exitUsage,
		hint: `give the token on standard input, where no list of processes shows it: printf %s "$TOKEN" | ` +
			"sidecar introspect"}
}

func readToken(in io.Reader) (secret.Text, error) {
	b, err := io.ReadAll(io.LimitReader(in, token.MaxBytes+2))
	if err != nil {
		return secret.Text{}, fmt.Errorf("read token: %w", err)
	}
	text := strings.TrimSpace(string(b))
	cred, err := token.Extract(token.Sources{Explicit: secret.New(text)})
	if err != nil || !cred.Present() {
		return secret.Text{}, noToken(text)
	}
	return cred.Token, nil
}

// noToken says what text is in place of a token, and shows nothing of it.
func noToken(text string) *failure {
	f := &failure{err: errors.New("standard input holds no well-formed token"), exit: exitUsage,
		hint: `give the bare token, without "Bearer": printf %s "$TOKEN" | sidecar introspect`}
	switch {
	case text == "":
		f.err = errors.New("standard input is empty")
		f.hint = `give the token: printf %s "$TOKEN" | sidecar introspect; an empty one often comes of a variable that ` +
			"is not set"
	case text[0] == '{':
		f.err, f.hint = errors.New("standard input holds JSON, not a token"), "give its member access_token alone: "+
			"jq -r .access_token | sidecar introspect"
	case strings.ContainsRune("\"'", rune(text[0])):
		f.err = errors.New("standard input holds a token in quotation marks")
		f.hint = "remove them; jq prints without them with -r"
	case strings.Contains(text, "\n"):
		f.err, f.hint = errors.New("standard input holds several lines"), "give one token on one line"
	}
	return f
}

// chosen is the issuer of a name, or the one that serve would choose for the token.
func chosen(issuers *issuer.Issuers, name string, tok secret.Text) (*issuer.Issuer, error) {
	var names []string
	for _, i := range issuers.All() {
		names = append(names, i.Name())
	}
	if name != "" {
		if i := issuers.Named(name); i != nil {
			return i, nil
		}
		return nil, unknownIssuer(name, names)
	}
	c := issuers.Choose(introspect.Question{Token: tok})
	if c.Issuer() == nil {
		return nil, &failure{
			err: fmt.Errorf("no configured issuer matches this token: the token %s", c.Why()), exit: exitFailed,
			hint: "serve may find its issuer by the host or the headers of a request; here name it with --issuer: " +
				strings.Join(names, ", "),
		}
	}
	return c.Issuer(), nil
}

func introspectToken(ctx context.Context, cfgs []issuer.Config, how introspecting, tok secret.Text,
	std streams) error {
	deps := issuer.Deps{Fingerprints: secret.NewFingerprinter(), Log: slog.New(slog.DiscardHandler)}
	issuers, err := issuer.Open(cfgs, deps)
	if err != nil {
		return err
	}
	defer issuers.Close()
	asked, err := chosen(issuers, how.issuer, tok)
	if err != nil {
		return errors.Join(how.write(examined{findings: doctor.Unclaimed(cfgs, tok)}, tok, std.out), err)
	}
	cfg := cfgs[slices.IndexFunc(cfgs, func(c issuer.Config) bool { return c.Endpoint.Name == asked.Name() })]
	now := time.Now()
	e := examined{issuer: asked.Name(), alone: len(cfgs) == 1}
	e.answer, err = asked.Ask(ctx, tok)
	e.local = err == nil && e.answer.Status == 0
	e.findings = doctor.Diagnose(cfg, tok, e.answer, err, now)
	if err == nil && e.answer.Claims.Active {
		doc := input.Build(input.Query{}, e.answer.Claims, input.Presented{Scheme: "bearer"}, now)
		if !e.local {
			doc.Token.Claims = nil // they are in the answer, raw
		}
		if e.token, err = json.Marshal(doc.Token, json.Deterministic(true)); err != nil {
			return err
		}
	}
	if err := how.write(e, tok, std.out); err != nil {
		return err
	}
	faults, doubts := doctor.Count(e.findings, doctor.Fault), doctor.Count(e.findings, doctor.Doubt)
	return how.limit.outcome(faults, doubts, "this token would not be accepted")
}

// shownBytes is how much of an answer is shown.
const shownBytes = 8 << 10

// unknownIssuer is the failure of a name that no issuer of the configuration has.
func unknownIssuer(name string, configured []string) *failure {
	return &failure{err: fmt.Errorf("no issuer %q is configured", name),
		hint: "configured are: " + strings.Join(configured, ", "), exit: exitUsage}
}

// shown is an answer for a terminal: indented when it is JSON, without what moves the cursor, and never with the token
// in it, however it is spelled.
func shown(body []byte, tok secret.Text) string {
	text := withoutToken(body, tok)
	if len(text) > shownBytes {
		text = strings.ToValidUTF8(text[:shownBytes], "") + " ..."
	}
	return text
}

// withoutToken is a whole answer like that.
func withoutToken(body []byte, tok secret.Text) string {
	v := jsontext.Value(body).Clone()
	if v.Format(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true), jsontext.Multiline(true),
		jsontext.WithIndent("  ")) == nil {
		body = v
	}
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(string(body), "?"))
	return strings.ReplaceAll(text, tok.Reveal(), "[redacted]")
}
