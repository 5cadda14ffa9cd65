package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/authz-sidecar/sidecar/internal/config"
)

var update = flag.Bool("update", false, "write docs/commands.md and the messages of testdata anew")

// quietRoot is the root of all commands, as it is where no variable names a configuration.
func quietRoot(t *testing.T) *cobra.Command {
	t.Helper()
	t.Setenv(config.FileVariable, "")
	return rootCommand(streams{out: io.Discard, err: io.Discard})
}

// TestTheReferenceOfCommandsIsTheirHelp compares docs/commands.md with what --help prints.
func TestTheReferenceOfCommandsIsTheirHelp(t *testing.T) {
	const page = "../../docs/commands.md"
	var b strings.Builder
	b.WriteString(referenceHead)
	everyCommand(quietRoot(t), func(c *cobra.Command, _ []string) {
		if c.Hidden || c.Name() == "help" || c.HasParent() && c.Parent().Name() == "completion" {
			return
		}
		fmt.Fprintf(&b, "\n## %s\n\n```\n", c.CommandPath())
		printHelp(&b, c)
		b.WriteString("```\n")
	})
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Errorf("%s is not what the commands say of themselves: go test ./cmd/sidecar -run Reference -update", page)
	}
}

const referenceHead = `# Commands

What ` + "`sidecar COMMAND --help`" + ` prints, for each command. Results go to standard output, everything else to standard error,
so that a pipe gets the result alone.

| exit status | |
|---|---|
| 0 | done; of ` + "`eval`" + `: the request is allowed |
| 1 | failed; of ` + "`eval`" + `: no policy decided |
| 2 | wrong usage: flags or arguments |
| 3 | the policies do not load |
| 4 | tests failed |
| 5 | of ` + "`eval`" + `: the request is refused |

A script that acts on a decision tells refused from undecided:

<!-- run: cp -r "$ROOT/policies" . ; echo '{"active": false}' > answer.json -->

` + "```sh script" + `
sidecar eval --url https://api.example/orders/42 --introspection answer.json > decision.json
case $? in
0) echo allowed ;;
5) echo refused ;;
*) echo "not decided" >&2; exit 1 ;;
esac
` + "```" + `

Every command that takes ` + "`--config`" + ` reads the file that ` + "`SIDECAR_CONFIG`" + ` names where the flag is not given,
and ` + "`sidecar.yaml`" + ` in the working directory where neither is. Each [key of the
configuration](configuration.md#environment) can be set by a variable too.

` + "`sidecar completion bash`" + ` (or ` + "`zsh`, `fish`, `powershell`" + `) prints the completion of a shell.
Its ` + "`--help`" + ` says where that goes. Completed are commands, flags, and their values, among them codes, and the
issuers and entrypoints of the configuration. Packages install manual pages too: ` + "`man sidecar-check`" + `.
`

func TestTheHelpOfACommandSaysEachExitCodeApart(t *testing.T) {
	code := regexp.MustCompile(`^[0-5] [a-z]`)
	err := eachReference(quietRoot(t), func(r reference) error {
		for part := range strings.SplitSeq(r.exit, "; ") {
			if !code.MatchString(part) {
				t.Errorf("%s: exit status %q", r.path, part)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestEveryFlagWithAValueIsCompleted(t *testing.T) {
	everyCommand(quietRoot(t), func(c *cobra.Command, _ []string) {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if _, ok := c.GetFlagCompletionFunc(f.Name); !ok && f.Value.Type() != "bool" {
				t.Errorf("%s --%s: files are completed, whatever it takes", c.CommandPath(), f.Name)
			}
		})
	})
}

func TestManualPagesAreCleanAndTheSameAgain(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1795000000")
	dir := t.TempDir()
	code, out := ran(t, "man", "--dir", filepath.Join(dir, "a"))
	if again, _ := ran(t, "man", "--dir", filepath.Join(dir, "b")); code != exitOK || again != exitOK {
		t.Fatalf("exit %d, %d: %s", code, again, out)
	}
	for name := range strings.FieldsSeq(out) {
		page, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		twin, err := os.ReadFile(filepath.Join(dir, "b", filepath.Base(name)))
		if err != nil || !slices.Equal(page, twin) {
			t.Errorf("%s differs when it is written again: %v", name, err)
		}
		if text := string(page); !strings.Contains(text, `"2026-11-18"`) ||
			!strings.Contains(text, ".SH EXIT STATUS\n0 ") ||
			!strings.Contains(text, ".SH EXAMPLES\n.nf\n") {
			t.Errorf("%s lacks a part:\n%s", name, text)
		}
	}
	if code, said := ran(t, "man", "--dir", filepath.Join(dir, "a", "sidecar.1")); code != exitFailed {
		t.Errorf("a file in place of the directory: exit %d: %s", code, said)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "today")
	if code, said := ran(t, "man", "--dir", dir); code != exitUsage {
		t.Errorf("a date in words: exit %d: %s", code, said)
	}
}
