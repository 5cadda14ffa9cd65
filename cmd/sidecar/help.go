package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// helpWidth is where lines of the help end.
const helpWidth = 110

// printHelp writes the help of a command: what it does, how it is called, an example, what is below it, its flags.
func printHelp(w io.Writer, cmd *cobra.Command) {
	r := referenceOf(cmd)
	fmt.Fprintf(w, "%s\n\nUsage:\n  %s\n", strings.TrimSpace(cmd.Long), r.usage)
	if r.examples != "" {
		fmt.Fprintf(w, "\nExamples:\n%s", indented(r.examples))
	}
	if len(cmd.Groups()) == 0 && len(r.below) > 0 {
		printColumns(w, "Commands:", commandRows(r.below))
	}
	for _, g := range cmd.Groups() {
		var of []*cobra.Command
		for _, c := range r.below {
			if c.GroupID == g.ID {
				of = append(of, c)
			}
		}
		printColumns(w, g.Title, commandRows(of))
	}
	var flags [][2]string
	for _, f := range r.flags {
		spelling := f.spelling
		if strings.HasPrefix(spelling, "--") { // below those with a short form
			spelling = "    " + spelling
		}
		flags = append(flags, [2]string{spelling, f.meaning})
	}
	printColumns(w, "Flags:", flags)
	if len(r.below) > 0 {
		fmt.Fprintf(w, "\n%s COMMAND --help says more about a command.\n", r.path)
	}
}

func commandRows(commands []*cobra.Command) (rows [][2]string) {
	for _, c := range commands {
		rows = append(rows, [2]string{c.Name(), c.Short})
	}
	return rows
}

// printColumns writes two columns below a heading. The second is wrapped.
func printColumns(w io.Writer, heading string, rows [][2]string) {
	widest := 0
	for _, row := range rows {
		widest = max(widest, len(row[0]))
	}
	fmt.Fprintf(w, "\n%s\n", heading)
	for _, row := range rows {
		left := row[0]
		for _, line := range wrapped(row[1], helpWidth-widest-4) {
			fmt.Fprintf(w, "  %-*s  %s\n", widest, left, line)
			left = ""
		}
	}
}

// wrapped breaks a text at blanks into lines of at most width bytes, as far as it has blanks.
func wrapped(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("  " + line)
	}
	return b.String()
}
