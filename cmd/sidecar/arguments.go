package main

import (
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/authz-sidecar/sidecar/internal/suggest"
)

// wrongUsage is the failure of a command that is called in another way than its help says.
func wrongUsage(cmd *cobra.Command, format string, said ...any) *failure {
	return &failure{err: fmt.Errorf(format, said...), hint: "run " + cmd.CommandPath() + " --help", exit: exitUsage}
}

// wrongFlag is the failure of flags that cannot be read. Of an unknown one it names the flag that was probably meant.
func wrongFlag(cmd *cobra.Command, err error) error {
	if refused, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return wrongUsage(cmd, "--%s %q: %w", refused.GetFlag().Name, refused.GetValue(), errors.Unwrap(err))
	}
	f := wrongUsage(cmd, "%w", err)
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := suggest.Closest(unknown.GetSpecifiedName(), names); near != "" {
			f.hint = "did you mean --" + near + "? Else " + f.hint
		}
	}
	return f
}

// noArguments refuses arguments, which to a command with others below it are misspelt names of these.
func noArguments(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) > 0 && cmd.HasSubCommands():
		f := wrongUsage(cmd, "%s has no command %q", cmd.CommandPath(), args[0])
		var names []string
		for _, c := range commandsBelow(cmd) {
			names = append(names, c.Name())
		}
		if near := suggest.Closest(args[0], names); near != "" {
			f.hint = "did you mean " + cmd.CommandPath() + " " + near + "? Else " + f.hint
		}
		return f
	case len(args) > 0:
		f := wrongUsage(cmd, "%s takes no arguments, got %q", cmd.CommandPath(), args[0])
		if named := path.Ext(args[0]); cmd.Flags().Lookup("config") != nil && (named == ".yaml" || named == ".yml") {
			f.hint = "write " + cmd.CommandPath() + " --config " + args[0]
		}
		return f
	}
	return nil
}

// oneDash is the failure of a long flag behind one dash, or nil. It would be read as letters: -config as -c onfig.
func oneDash(root *cobra.Command, args []string) *failure {
	cmd, rest, err := root.Find(args)
	if err != nil {
		return nil // told by what follows
	}
	for _, arg := range rest {
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		switch {
		case arg == "--":
			return nil
		case len(name) > 1 && arg[0] == '-' && arg[1] != '-' && cmd.Flags().Lookup(name) != nil:
			f := wrongUsage(cmd, "-%s has one dash", name)
			f.hint = "write --" + name
			return f
		}
	}
	return nil
}

// counted is a number of things, such as "1 fault".
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// takes refuses any other number of arguments than n, which are what, and shows the first example of the help.
func takes(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		f := wrongUsage(cmd, "%s takes %s, got %s", cmd.CommandPath(), what, counted(len(args), "argument"))
		example, _, _ := strings.Cut(strings.TrimSpace(cmd.Example), "\n")
		f.hint = "for example: " + example
		return f
	}
}

// instant is the time that a flag --now says, or the present.
func instant(text string) (time.Time, error) {
	if text == "" {
		return time.Now(), nil
	}
	now, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return now, &failure{err: fmt.Errorf("--now %q is no time", text), hint: "write --now 2026-11-20T12:00:00Z",
			exit: exitUsage}
	}
	return now, nil
}

// writeIndented writes a value as JSON for people to read too.
func writeIndented(w io.Writer, v any) error {
	if err := json.MarshalWrite(w, v, jsontext.WithIndent("  "), json.Deterministic(true)); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
