package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func manCommand(std streams) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:    "man",
		Short:  "Write the manual pages, for packages",
		Hidden: true,
		Long: `Write a manual page of section 1 for each command into a directory. Their date is SOURCE_DATE_EPOCH, in seconds,
so that they can be built again byte for byte; without it they have none.

Exit status: 0 written; 1 they cannot be written; 2 wrong usage.`,
		Example: "  sidecar man --dir dist/man1",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			date, err := sourceDate(os.Getenv("SOURCE_DATE_EPOCH"))
			if err != nil {
				return err
			}
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("write the manual pages: %w", err)
			}
			return eachReference(cmd.Root(), func(r reference) error {
				name := filepath.Join(dir, strings.ReplaceAll(r.path, " ", "-")+".1")
				if err := os.WriteFile(name, []byte(manualPage(r, date)), 0o644); err != nil {
					return fmt.Errorf("write the manual pages: %w", err)
				}
				_, err := fmt.Fprintln(std.out, name)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "man1", "`DIR` to write to")
	return cmd
}

// sourceDate is the day of SOURCE_DATE_EPOCH, or "".
func sourceDate(epoch string) (string, error) {
	if epoch == "" {
		return "", nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return "", &failure{err: fmt.Errorf("SOURCE_DATE_EPOCH %q is not a number of seconds", epoch), exit: exitUsage}
	}
	return time.Unix(seconds, 0).UTC().Format(time.DateOnly), nil
}

// manualPage is the page of a command in the language of man(7).
func manualPage(r reference, date string) string {
	var b strings.Builder
	name := strings.ReplaceAll(r.path, " ", "-")
	fmt.Fprintf(&b, ".TH %q 1 %q %q \"Sidecar Manual\"\n", strings.ToUpper(name), date, "sidecar "+version())
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(name), roff(r.short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(r.usage))
	b.WriteString(".SH DESCRIPTION\n")
	for i, p := range r.paragraphs {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		if asItStands(p) {
			b.WriteString(verbatim(p))
		} else {
			b.WriteString(roff(p) + "\n")
		}
	}
	if len(r.below) > 0 {
		b.WriteString(".SH COMMANDS\n")
	}
	for _, c := range r.below {
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(c.CommandPath()), roff(c.Short))
	}
	b.WriteString(".SH OPTIONS\n")
	for _, f := range r.flags {
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(f.spelling), roff(f.meaning))
	}
	fmt.Fprintf(&b, ".SH EXIT STATUS\n%s\n.SH EXAMPLES\n%s", roff(strings.ReplaceAll(r.exit, "; ", "\n.br\n")),
		verbatim(r.examples))
	b.WriteString(".SH ENVIRONMENT\n.TP\n.B SIDECAR_CONFIG\nThe configuration file, where \\-\\-config does not name one.\n" +
		".TP\n.B SIDECAR_*\nEach key of the configuration, as a variable.\n")
	b.WriteString(".SH SEE ALSO\n" + seeAlso(r) + "\n")
	return b.String()
}

// seeAlso names the page above that of a command, and those below it.
func seeAlso(r reference) string {
	var pages []string
	if above := strings.LastIndex(r.path, " "); above >= 0 {
		pages = append(pages, r.path[:above])
	}
	for _, c := range r.below {
		pages = append(pages, c.CommandPath())
	}
	for i, page := range pages {
		pages[i] = `\fB` + roff(strings.ReplaceAll(page, " ", "-")) + `\fR(1)`
	}
	return strings.Join(pages, ", ")
}

// verbatim keeps the line breaks of a text.
func verbatim(text string) string { return ".nf\n" + roff(strings.TrimRight(text, "\n")) + "\n.fi\n" }

// roff is a text that man(7) shows as it is.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") && line != ".br" {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
