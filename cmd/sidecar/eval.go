package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/door/native"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/proof"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// evaluation is what the flags of eval say.
type evaluation struct {
	source
	request, method, url, sourceIP, answer, issuer, dialect, context string
	headers                                                          []string
	explain                                                          detail
	document                                                         bool
}

func evalCommand(std streams) *cobra.Command {
	var e evaluation
	cmd := &cobra.Command{
		Use:   "eval",
		Short: "Decide one request offline, from files or flags",
		Long: `Decide one request offline, from files or flags. No request goes to the authorization server: --introspection names
a file with what it would answer about the token. Without that file the request has no token. Without a configuration
the defaults hold, and the tenant is the member tenant of the response.

Standard output is the decision, as POST /v1/decisions answers it, with the cause when no policy decided. What
print() writes, and the explanation of --explain, go to standard error: the rule that decided, the rule of each reason,
and for each rule that would have allowed the expression it stopped at with the values on both sides. --explain=full
shows all rules, those of the library too. With --input standard output is the document that policies read instead.

Exit status: 0 the request is allowed, and with --input the document was printed; 5 the request is refused (kind deny,
unauthenticated or malformed); 1 no policy decided (misconfigured, unavailable, internal); 2 wrong usage; 3 the policies
do not load.`,
		Example: `  sidecar eval --url https://api.example/orders/42 --header x-tenant=acme --introspection token.json --explain`,
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return e.run(cmd.Context(), std) },
	}
	f := cmd.Flags()
	e.flags(cmd)
	f.StringVar(&e.request, "request", "", "`FILE` with the body of POST /v1/decisions, or - for standard input")
	f.StringVar(&e.method, "method", "GET", "`METHOD` of the request")
	f.StringVar(&e.url, "url", "", "`URL` of the request")
	f.StringArrayVar(&e.headers, "header", nil, "header of the request as `NAME=VALUE`; may be repeated")
	f.StringVar(&e.sourceIP, "source-ip", "", "`ADDRESS` of the client")
	f.StringVar(&e.answer, "introspection", "",
		"`FILE` with the introspection response (RFC 7662), or with what introspect --format json prints, or - for "+
			"standard input")
	f.StringVar(&e.issuer, "issuer", "", "`NAME` of the configured issuer that gave the response (default the first)")
	f.StringVar(&e.dialect, "dialect", "",
		"`DIALECT` of the server that gave the response (default that of the configuration)")
	f.StringVar(&e.context, "context", "", "`FILE` with the context for the policy, a JSON object")
	f.Var(&e.explain, "explain", "say why, in ten lines; --explain=full says all")
	f.Lookup("explain").NoOptDefVal = string(brief)
	f.BoolVar(&e.document, "input", false, "print the document that policies read instead of the decision")
	cmd.MarkFlagsOneRequired("url", "request")
	for _, part := range []string{"url", "method", "header", "source-ip", "context"} {
		cmd.MarkFlagsMutuallyExclusive(part, "request") // which has it all
	}
	return cmd
}

func (e *evaluation) run(ctx context.Context, std streams) error {
	cfg, err := e.load(std.err)
	if err != nil {
		return err
	}
	q, err := e.query(std.in)
	if err != nil {
		return err
	}
	introspector, err := e.introspector(cfg, std.in, &q)
	if err != nil {
		return err
	}
	cfg.Engine.Print = func(string, engine.Print) {} // the explanation has the texts
	_, policy, err := app.Load(ctx, cfg)
	if err != nil {
		return err
	}
	q.Caller = "@" // as if by a Unix socket
	proofs, err := proof.New(cfg.Proof, nil)
	if err != nil {
		return err
	}
	point := decision.New(cfg.Decision, &decision.Snapshot{Introspector: introspector, Policy: policy}, decision.Deps{
		Input: cfg.InputRules(), Proofs: proofs, Log: slog.New(slog.DiscardHandler),
	})
	x := point.Explain(ctx, q)
	printPrints(std.err, x.Why.Prints)
	if e.document {
		return printDocument(std.out, x)
	}
	if err := printDecision(std.out, x.Decision); err != nil {
		return err
	}
	if err := e.printWhy(std.err, x); err != nil {
		return err
	}
	return outcomeOf(x.Decision)
}

// outcomeOf is the exit status of a decision: scripts tell a refusal from a sidecar that could not decide.
func outcomeOf(d authz.Decision) error {
	switch d.Kind {
	case authz.Allow:
		return nil
	case authz.Deny, authz.Unauthenticated, authz.Malformed:
		return &failure{err: errors.New("the request is refused"), exit: exitRefused, quiet: true}
	}
	return &failure{err: errors.New("no policy decided"), exit: exitFailed, quiet: true}
}

func (e *evaluation) query(stdin io.Reader) (authz.Query, error) {
	if e.request != "" {
		body, err := readInput(e.request, stdin)
		if err != nil {
			return authz.Query{}, err
		}
		q, err := native.ParseCall(body)
		if err != nil {
			return q, &failure{
				err: fmt.Errorf("read %s: %w", e.request, err), exit: exitUsage,
				hint: `write it as the body of POST /v1/decisions: {"request": {"method": "GET", "url": "https://..."}}`,
			}
		}
		return q, nil
	}
	q := authz.Query{Request: authz.Request{Method: e.method, URL: e.url, SourceIP: e.sourceIP,
		Headers: map[string][]string{}}}
	for _, h := range e.headers {
		name, value, ok := strings.Cut(h, "=")
		if !ok {
			return q, &failure{err: fmt.Errorf("--header %q has no =", h), hint: "write --header x-tenant=acme",
				exit: exitUsage}
		}
		name = httpuri.Lower(name)
		q.Request.Headers[name] = append(q.Request.Headers[name], value)
	}
	if e.context != "" {
		body, err := readInput(e.context, stdin)
		if err != nil {
			return q, err
		}
		if !jsontext.Value(body).IsValid() || jsontext.Value(body).Kind() != '{' {
			return q, &failure{err: fmt.Errorf("read %s: not a JSON object", e.context), exit: exitUsage}
		}
		q.Context = body
	}
	return q, nil
}

// introspector answers for the authorization server, and gives the request the token that is asked about.
func (e *evaluation) introspector(
	cfg *config.Config, stdin io.Reader, q *authz.Query,
) (introspect.Introspector, error) {
	if e.answer == "" {
		return nil, nil
	}
	answer, err := readInput(e.answer, stdin)
	if err != nil {
		return nil, err
	}
	chosen, err := e.issuerOf(cfg.Issuers)
	if err != nil {
		return nil, err
	}
	if e.dialect != "" {
		chosen.Dialect.Dialect = e.dialect
	}
	if len(q.Request.Headers["authorization"]) == 0 && q.Token.Empty() {
		// The token is hidden where the request repeats it: no request holds this text.
		q.Token = secret.New("a-token-of-an-evaluation")
	}
	return issuer.Static(chosen, answerOf(answer))
}

// issuerOf is the issuer whose answer is read.
func (e *evaluation) issuerOf(cfgs []issuer.Config) (issuer.Config, error) {
	var names []string
	for _, c := range cfgs {
		if e.issuer == "" || e.issuer == c.Endpoint.Name {
			return c, nil
		}
		names = append(names, c.Endpoint.Name)
	}
	if e.issuer != "" {
		return issuer.Config{}, unknownIssuer(e.issuer, names)
	}
	return issuer.Config{Dialect: dialect.Config{Tenant: []string{"/tenant"}}}, nil // as sidecar dev has it
}

// maxInputBytes bounds a file that a command reads.
const maxInputBytes = 4 << 20

func readInput(name string, stdin io.Reader) ([]byte, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxInputBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(b) > maxInputBytes {
		return nil, fmt.Errorf("read %s: over %d bytes", name, maxInputBytes)
	}
	return b, nil
}

func printDecision(w io.Writer, d authz.Decision) error {
	b := jsontext.Value(native.AppendDecision(nil, d))
	if d.Cause != nil { // which callers never see
		cause, err := jsontext.AppendQuote(append(b[:len(b)-1], `,"cause":`...),
			strings.ToValidUTF8(d.Cause.Error(), "\uFFFD"))
		if err != nil {
			return err
		}
		b = append(cause, '}')
	}
	if err := b.Indent(jsontext.WithIndent("  ")); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s\n", b)
	return err
}
