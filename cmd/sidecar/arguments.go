package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
)

// wrongUsage is the failure of a command that is called in another way than its help says.
func wrongUsage(cmd *cobra.Command, format string, said ...any) *failure {
	return &failure{err: fmt.Errorf(format, said...), hint: "run " + cmd.CommandPath() + " --help", exit: exitUsage}
}

// noArguments refuses arguments, which to a command with others below it are misspelt names of these.
func noArguments(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) > 0 && cmd.HasSubCommands():
		return wrongUsage(cmd, "%s has no command %q", cmd.CommandPath(), args[0])
	case len(args) > 0:
		return wrongUsage(cmd, "%s takes no arguments, got %q", cmd.CommandPath(), args[0])
	}
	return nil
}

// takes refuses any other number of arguments than n, which are what, and shows the first example of the help.
func takes(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		f := wrongUsage(cmd, "%s takes %s, got %d arguments", cmd.CommandPath(), what, len(args))
		example, _, _ := strings.Cut(strings.TrimSpace(cmd.Example), "\n")
		f.hint = "for example: " + example
		return f
	}
}

// oneOf refuses the value of a flag that is none of words.
func oneOf(flag, value string, words ...string) error {
	if slices.Contains(words, value) {
		return nil
	}
	last := len(words) - 1
	return &failure{exit: exitUsage, err: fmt.Errorf("--%s %q: want %s or %s", flag, value,
		strings.Join(words[:last], ", "), words[last])}
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
