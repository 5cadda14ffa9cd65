package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/access"
	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// requirement is what the flags of requires say.
type requirement struct {
	source
	asked       evaluation
	format, now string
}

func requiresCommand(std streams) *cobra.Command {
	var r requirement
	cmd := &cobra.Command{
		Use:   "requires METHOD URL",
		Short: "Say what a token must carry for a request to be allowed",
		Long: `Say what a token must carry for a request to be allowed: the policies are evaluated with a token that is not known,
and what is left is told in words. Headers are unknown unless --header gives them, the query unless the URL has one, the
host unless the URL has one, the context unless --context names a file.

Each alternative is tried with a token that is made up for it, by the policies as they are written. One that could not be
tried with success is marked "(not verified)".

Exit status: 0 told, also when no token is enough; 1 it cannot be told; 2 wrong usage; 3 the policies do not load.`,
		Example: `  sidecar requires DELETE /orders/42
  sidecar requires GET https://api.example/orders/42 --header x-tenant=acme --format json`,
		Args: takes(2, "a method and a URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.asked.method, r.asked.url = args[0], args[1]
			if strings.Contains(args[0], "/") {
				return &failure{err: fmt.Errorf("the method %q is a URL", args[0]), exit: exitUsage,
					hint: "the method comes first: sidecar requires " + args[1] + " " + args[0]}
			}
			return r.run(cmd.Context(), std)
		},
	}
	f := cmd.Flags()
	r.flags(cmd)
	f.StringArrayVar(&r.asked.headers, "header", nil, "header of the request as `NAME=VALUE`; may be repeated")
	f.StringVar(&r.asked.context, "context", "", "`FILE` with the context for the policy, a JSON object")
	chooseFlag(cmd, &r.format, "format", "form of what is printed", "text", "json")
	f.StringVar(&r.now, "now", "", "`TIME` of the request, such as 2026-11-20T12:00:00Z (default the present)")
	return cmd
}

func (r *requirement) run(ctx context.Context, std streams) error {
	now, err := instant(r.now)
	if err != nil {
		return err
	}
	q, err := r.asked.query(std.in)
	if err != nil {
		return err
	}
	cfg, err := r.load(std.err)
	if err != nil {
		return err
	}
	warnOfHeaders(std.err, cfg.Input.Headers, q.Request.Headers)
	set, policy, err := app.Load(ctx, cfg)
	if err != nil {
		return err
	}
	analyst, err := access.New(cfg, set, policy, now)
	if err != nil {
		return err
	}
	report, err := analyst.Requires(ctx, access.Query{Request: q.Request, Context: q.Context})
	if err != nil {
		return &failure{err: err, exit: exitUsage} // the request is malformed
	}
	if r.format == "json" {
		err = writeIndented(std.out, report)
	} else {
		err = report.WriteText(std.out)
	}
	if err == nil && report.Incomplete != "" && len(report.Alternatives) == 0 {
		err = &failure{err: fmt.Errorf("the request could not be told"), exit: exitFailed, quiet: true}
	}
	return err
}

// warnOfHeaders tells of headers that policies never see.
func warnOfHeaders(w io.Writer, passed []string, given map[string][]string) {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.ContainsFunc(passed, func(p string) bool { return httpuri.Lower(p) == name }) {
			fmt.Fprintf(w, "sidecar: the policies do not see the header %s: input.headers does not name it\n", name)
		}
	}
}
