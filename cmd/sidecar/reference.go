package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// reference is the help of a command in its parts, from which its manual page and docs/commands.md are made.
type reference struct {
	// path is the command as it is typed, usage with what it takes.
	path, short, usage string
	// paragraphs are the description. One whose lines are indented is shown as it stands.
	paragraphs []string
	flags      []flagReference
	// examples are one a line.
	examples, exit string
	below          []*cobra.Command
}

// flagReference is one flag: its spelling, and what it means.
type flagReference struct{ spelling, meaning string }

// beginOfExit begins the last paragraph of the help of every command.
const beginOfExit = "Exit status: "

func referenceOf(cmd *cobra.Command) reference {
	long, exit, _ := strings.Cut(cmp.Or(cmd.Long, cmd.Short), "\n\n"+beginOfExit)
	out := reference{
		path: cmd.CommandPath(), short: cmd.Short, usage: cmd.UseLine(), paragraphs: strings.Split(long, "\n\n"),
		exit: strings.Join(strings.Fields(exit), " "), below: commandsBelow(cmd),
	}
	if cmd.HasAvailableSubCommands() {
		out.usage = cmd.CommandPath() + " COMMAND"
	}
	for line := range strings.Lines(cmd.Example) {
		out.examples += strings.TrimSpace(line) + "\n"
	}
	cmd.InitDefaultHelpFlag()
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			out.flags = append(out.flags, referenceOfFlag(f))
		}
	})
	return out
}

func referenceOfFlag(f *pflag.Flag) flagReference {
	kind, meaning := pflag.UnquoteUsage(f)
	spelling := "--" + f.Name
	if f.Shorthand != "" {
		spelling = "-" + f.Shorthand + ", " + spelling
	}
	switch f.DefValue {
	case "", "[]", "false", "0":
	default:
		meaning += fmt.Sprintf(" (default %s)", f.DefValue)
	}
	return flagReference{strings.TrimSpace(spelling + " " + kind), meaning}
}

// commandsBelow are the commands that help shows, in the order in which they were added.
func commandsBelow(cmd *cobra.Command) []*cobra.Command {
	var out []*cobra.Command
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" {
			out = append(out, c)
		}
	}
	return out
}

// eachReference calls do with cmd and every command below it.
func eachReference(cmd *cobra.Command, do func(reference) error) error {
	r := referenceOf(cmd)
	if err := do(r); err != nil {
		return err
	}
	for _, c := range r.below {
		if err := eachReference(c, do); err != nil {
			return err
		}
	}
	return nil
}

// asItStands reports whether a paragraph is shown with its line breaks.
func asItStands(paragraph string) bool { return strings.HasPrefix(paragraph, "  ") }
