package main

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/docs/rules"
	"github.com/authz-sidecar/sidecar/internal/suggest"
)

func rulesCommand(std streams) *cobra.Command {
	return &cobra.Command{
		Use:   "rules [CODE]",
		Short: "Explain what a code of sidecar check means, and what to do",
		Long: `Explain what a code of sidecar check means, and what to do: why it matters, an example, and how to silence it with a
reason. Without a CODE all codes are listed.

Exit status: 0 printed; 2 no such code.`,
		Example: "  sidecar rules unread-data",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return noArguments(cmd, args[1:])
			}
			if len(args) == 0 {
				return listRules(std)
			}
			page, ok := rules.Page(args[0])
			if !ok {
				return unknownRule(args[0])
			}
			_, err := fmt.Fprintln(std.out, strings.TrimSpace(page))
			return err
		},
	}
}

// listRules prints each code with the title of its page.
func listRules(std streams) error {
	for _, code := range ruleCodes() {
		page, _ := rules.Page(code)
		title, _, _ := strings.Cut(page, "\n")
		if _, err := fmt.Fprintf(std.out, "%-32s %s\n", code,
			strings.TrimSpace(strings.TrimLeft(title, "#"))); err != nil {
			return err
		}
	}
	return nil
}

// ruleCodes are the codes with a page, sorted.
func ruleCodes() []string {
	names, _ := fs.Glob(rules.FS, "*.md") // the pattern is sound
	var codes []string
	for _, name := range names {
		if code := strings.TrimSuffix(name, ".md"); code != "README" {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	return codes
}

func unknownRule(code string) error {
	f := &failure{err: fmt.Errorf("there is no page about %q", code), hint: "sidecar rules lists the codes",
		exit: exitUsage}
	switch near := suggest.Closest(code, ruleCodes()); {
	case near != "":
		f.hint = "did you mean " + near + "? " + f.hint
	case strings.HasPrefix(code, "regal/"):
		f.hint = "the finding names the page of Regal"
	}
	return f
}
