// Command sidecar decides whether requests may pass, and helps authors write the policies that say so.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/listen"
)

func main() {
	ctx, limit := untilSignal()
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr, limit}))
}

// streams are what a command reads and writes: results go to out, everything else to err.
type streams struct {
	in       io.Reader
	out, err io.Writer
	// exitTime bounds what is left to do after a signal; it may be nil.
	exitTime *exitTime
}

// The exit codes of every command.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotCompile  = 3
	exitTestsFailed = 4
	exitRefused     = 5
)

// run is the whole program.
func run(ctx context.Context, args []string, std streams) int {
	root := rootCommand(std)
	var begun bool
	noteStart(root, &begun)
	if f := oneDash(root, args); f != nil {
		f.print(std.err)
		return f.exit
	}
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	f := failureOf(cmd, err)
	if _, told := errors.AsType[*failure](err); !begun && !told { // cobra refused flags or arguments
		f = wrongUsage(cmd, "%w", err)
	}
	f.print(std.err)
	return f.exit
}

// rootCommand has all commands.
func rootCommand(std streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "sidecar",
		Short: "Policy-as-code authorization beside your application",
		Long: `sidecar turns the OAuth token of a request into facts, gives facts and request to Rego policies, and
answers whether the request may pass.

Results go to standard output, everything else to standard error. SIDECAR_CONFIG names the configuration file where the
flag --config does not; each key of the configuration can be set by a variable too, such as SIDECAR_LISTEN_API_ADDRESS.

Exit status: 0 done; 1 failed; 2 wrong usage; 3 the policies do not load; 4 tests failed; 5 refused: the
request (sidecar eval), or the candidate (sidecar replay).`,
		Example:       "  sidecar dev\n  sidecar serve --config sidecar.yaml",
		Version:       version(),
		Args:          noArguments,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	addGroup(root, "run", "Run it:",
		devCommand(std), initCommand(std), serveCommand(std))
	addGroup(root, "policies", "Write, test and review policies:",
		checkCommand(std), testCommand(std), fmtCommand(std), rulesCommand(std), routesCommand(std),
		requiresCommand(std), migrateCommand(std), libraryCommand(std), bundleCommand(std))
	addGroup(root, "decisions", "Find out why:",
		evalCommand(std), explainCommand(std), replayCommand(std), introspectCommand(std))
	addGroup(root, "operate", "Operate it:",
		healthcheckCommand(std), configCommand(std), schemaCommand(std), versionCommand(std))
	root.AddCommand(manCommand(std))
	root.SetHelpCommandGroupID("operate")
	root.SetCompletionCommandGroupID("operate")
	describeCompletion(root)
	addCompletions(root)
	root.SetIn(std.in)
	root.SetOut(std.out)
	root.SetErr(std.err)
	root.SetFlagErrorFunc(wrongFlag)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { printHelp(std.out, cmd) })
	return root
}

// addGroup adds commands under a heading of the help.
func addGroup(root *cobra.Command, id, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: id, Title: title})
	for _, c := range commands {
		c.GroupID = id
		root.AddCommand(c)
	}
}

// noteStart sets begun when a command starts, whose flags and arguments are those that it takes.
func noteStart(cmd *cobra.Command, begun *bool) {
	if start := cmd.RunE; start != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*begun = true
			return start(cmd, args)
		}
	}
	for _, c := range cmd.Commands() {
		noteStart(c, begun)
	}
}

// failure is an error with what a person at a terminal needs: a hint, and the exit code.
type failure struct {
	err  error
	hint string
	exit int
	// quiet is set when the command has printed the error itself.
	quiet bool
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func (f *failure) print(w io.Writer) {
	if f.quiet {
		return
	}
	fmt.Fprintf(w, "sidecar: error: %v\n", f.err)
	if f.hint != "" {
		fmt.Fprintf(w, "sidecar: hint: %s\n", f.hint)
	}
}

// failureOf gives an error its exit code and, where the error itself has none, a hint.
func failureOf(cmd *cobra.Command, err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	f := &failure{err: err, exit: exitFailed}
	if errors.Is(err, context.Canceled) {
		f.err = errors.New("interrupted")
		return f
	}
	if problems, ok := errors.AsType[bundle.Problems](err); ok {
		f.err = fmt.Errorf("the policies do not load:\n%s", problems)
		f.hint, f.exit = "fix the problems above, then run: sidecar check", exitNotCompile
		return f
	}
	if faults, ok := errors.AsType[config.Faults](err); ok {
		f.err = fmt.Errorf("the configuration has %s:\n%s", counted(len(faults), "fault"), faults)
		f.hint = "sidecar config schema prints every key"
		return f
	}
	if l, ok := errors.AsType[*listen.AddressError](err); ok && errors.Is(err, syscall.EADDRINUSE) {
		f.hint = "another program listens on that port: stop it, or choose another port with " + l.Key +
			listenFlag(cmd, l.Key)
		return f
	}
	return f
}

// listenFlag names the flag of a command that sets the address of a listener, when it has one.
func listenFlag(cmd *cobra.Command, key string) string {
	listener := strings.TrimSuffix(strings.TrimPrefix(key, "listen."), ".address")
	if cmd.Flags().Lookup(listener) == nil {
		return ""
	}
	return " (flag --" + listener + ")"
}
