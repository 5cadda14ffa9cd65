package main

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// everyCommand calls yield with each command that people run, and its arguments.
func everyCommand(cmd *cobra.Command, yield func(cmd *cobra.Command, args []string)) {
	for _, c := range cmd.Commands() {
		yield(c, strings.Fields(c.CommandPath())[1:])
		everyCommand(c, yield)
	}
}

// ran is the exit code of a command and what it wrote.
func ran(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	code := run(t.Context(), args, streams{in: strings.NewReader(""), out: &out, err: &out})
	return code, out.String()
}

func TestTheHelpOfEveryCommandHasAnExampleAndItsExitCodes(t *testing.T) {
	everyCommand(rootCommand(streams{out: io.Discard, err: io.Discard}), func(c *cobra.Command, args []string) {
		code, help := ran(t, slices.Concat(args, []string{"--help"})...)
		if code != exitOK || !strings.Contains(help, "Examples:\n  ") {
			t.Errorf("%q: exit %d, no example in\n%s", args, code, help)
		}
		if !strings.Contains(strings.ToLower(help), "exit status") {
			t.Errorf("%q: no exit status in\n%s", args, help)
		}
	})
}

func TestUnknownFlagsOfEveryCommandAreWrongUsage(t *testing.T) {
	everyCommand(rootCommand(streams{out: io.Discard, err: io.Discard}), func(c *cobra.Command, args []string) {
		code, said := ran(t, slices.Concat(args, []string{"--nosuch"})...)
		if code != exitUsage || !strings.Contains(said, "hint: run "+c.CommandPath()+" --help") {
			t.Errorf("%q: exit %d: %s", args, code, said)
		}
	})
}

func TestArgumentsThatACommandDoesNotTakeAreWrongUsage(t *testing.T) {
	takesPaths := []string{"check", "fmt", "test", "build"}
	everyCommand(rootCommand(streams{out: io.Discard, err: io.Discard}), func(c *cobra.Command, args []string) {
		if slices.Contains(takesPaths, c.Name()) {
			return
		}
		if code, said := ran(t, slices.Concat(args, []string{"a", "b", "c"})...); code != exitUsage {
			t.Errorf("%q: exit %d: %s", args, code, said)
		}
	})
}

func TestFlagsThatLackOrExcludeEachOtherAreWrongUsage(t *testing.T) {
	for _, args := range []string{"", "eval", "init", "eval --url /a --request -", "dev --write a --policies b"} {
		want := exitUsage
		if args == "" {
			want = exitOK // the list of commands
		}
		if code, said := ran(t, strings.Fields(args)...); code != want {
			t.Errorf("sidecar %s: exit %d: %s", args, code, said)
		}
	}
}
