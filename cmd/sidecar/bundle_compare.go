package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/authz-sidecar/sidecar/internal/change"
	"github.com/authz-sidecar/sidecar/internal/config"
)

// comparing is what the flags of diff and review say.
type comparing struct {
	source
	oldFile, oldRef string
	format, now     string
	tests, oldTests []string
}

func (c *comparing) flags(cmd *cobra.Command) {
	c.configFlag(cmd)
	f := cmd.Flags()
	f.StringVar(&c.entrypoint, "entrypoint", "", "`RULE` to ask (default that of the configuration)")
	f.StringVar(&c.oldFile, "old-config", "", "configuration `FILE` of the old version, where it differs")
	f.StringVar(&c.oldRef, "old-ref", "", "git `REVISION` of the old version, such as main, in place of OLD")
	f.StringVar(&c.now, "now", "", "`TIME` at which the policies decide, such as 2026-11-20T12:00:00Z (default the "+
		"present)")
}

// sides loads both versions. done removes what a git revision was laid out in.
func (c *comparing) sides(ctx context.Context, args []string, std streams) (from, to change.Side, done func(),
	err error) {
	done = func() {}
	paths, err := c.split(args)
	if err != nil {
		return from, to, done, err
	}
	c.paths = paths[1]
	cfg, err := c.load(std.err)
	if err != nil {
		return from, to, done, err
	}
	to = change.Side{Name: nameOf(cfg, paths[1]), Config: cfg, TestDirs: c.testsOf(cfg, c.tests)}
	old := c.source
	old.paths = paths[0]
	if c.oldFile != "" {
		old.file = c.oldFile
	}
	if c.oldRef != "" {
		var tree *gitTree
		if tree, err = checkedOut(ctx, c.oldRef, cfg, to.TestDirs); err != nil {
			return from, to, done, err
		}
		done = tree.remove
		old.paths = tree.policies
		from.Name, from.Commit = c.oldRef, tree.commit
		from.Hidden, from.Shown = tree.top+"/", c.oldRef+":"
		c.oldTests = tree.tests
	}
	oldConfig, err := old.load(std.err)
	if err != nil {
		return from, to, done, err
	}
	if c.oldFile == "" {
		same := *cfg // one configuration for both, but for the policies
		same.Policies = oldConfig.Policies
		oldConfig = &same
	}
	from.Config = oldConfig
	if from.Name == "" {
		from.Name = nameOf(oldConfig, paths[0])
	}
	if from.TestDirs = c.testsOf(oldConfig, c.oldTests); from.TestDirs == nil {
		from.TestDirs = to.TestDirs
	}
	if err := from.Load(ctx); err != nil {
		return from, to, done, err
	}
	if from.Policy == nil {
		return from, to, done, &failure{err: fmt.Errorf("the old version does not load:\n%w", from.Problems),
			exit: exitNotCompile, hint: "name all that is served together, with commas: policies,bundles/example; " +
				"or compare with a version that loads"}
	}
	return from, to, done, to.Load(ctx)
}

// split are the paths of the old and of the new version.
func (c *comparing) split(args []string) ([2][]string, error) {
	var out [2][]string
	want := 2
	if c.oldRef != "" {
		want = 1
	}
	if len(args) > want || len(args) < 2 && c.oldRef == "" {
		return out, &failure{err: fmt.Errorf("takes OLD and NEW, got %q", args), exit: exitUsage,
			hint: "name two versions, each with commas between directories and bundles: sidecar bundle review " +
				"old/policies " +
				"policies; or name a git revision: --old-ref main"}
	}
	for i, arg := range args {
		out[2-len(args)+i] = strings.Split(arg, ",")
	}
	if c.oldRef != "" {
		out[0] = nil
	}
	return out, nil
}

// nameOf is what a version is called.
func nameOf(cfg *config.Config, paths []string) string {
	if paths == nil {
		paths = slices.Concat(cfg.Policies.Paths, cfg.Policies.Bundles)
	}
	return strings.Join(paths, ",")
}

// testsOf are the directories of tests of a version: those given, or policy_test beside its policies, or beside the
// configuration.
func (c *comparing) testsOf(cfg *config.Config, given []string) []string {
	if given != nil {
		return given
	}
	var out []string
	for _, p := range slices.Concat(cfg.Policies.Paths, cfg.Policies.Bundles) {
		beside := filepath.ToSlash(filepath.Join(filepath.Dir(filepath.Clean(p)), besideConfiguration))
		if info, err := os.Stat(beside); err == nil && info.IsDir() && !slices.Contains(out, beside) {
			out = append(out, beside)
		}
	}
	return out
}

// compare compares the two versions.
func (c *comparing) compare(ctx context.Context, args []string, std streams, opts change.Options) (*change.Change,
	error) {
	now, err := instant(c.now)
	if err != nil {
		return nil, err
	}
	from, to, done, err := c.sides(ctx, args, std)
	defer done()
	if err != nil {
		return nil, err
	}
	line := newProgress(std)
	defer line.done()
	opts.Now, opts.Tool = now, version()
	opts.Progress = func(stage string, n, total int) {
		if total > 0 {
			line.say("comparing: %s %d of %d", stage, n, total)
		} else {
			line.say("comparing: %s", stage)
		}
	}
	return change.Of(ctx, from, to, opts)
}

// write writes a report in one of the forms.
func (c *comparing) write(std streams, report *change.Change) error {
	return writeReview(std.out, report, c.format, widthOf(std))
}

// widthOf is how wide the terminal is.
func widthOf(std streams) int {
	if f, ok := std.out.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return 100
}

func bundleDiffCommand(std streams) *cobra.Command {
	var c comparing
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Tell what differs between two versions of policies, by meaning",
		Long: `Tell what differs between two versions of policies, by meaning and without deciding anything: rules, what the
entrypoints newly call, reach and read, data, entrypoints. Format, comments and the order of rules and conditions do not
count. sidecar bundle review also runs the tests and looks for requests that are newly allowed.

OLD and NEW are directories of Rego and data, bundle folders and archives, with commas between several of one version.

Exit status: 0 the versions mean the same; 1 they differ, or the comparison failed; 2 wrong usage; 3 a version does not
load.`,
		Example: "  sidecar bundle diff old/policies policies\n" +
			"  sidecar bundle diff --old-ref main policies,bundles/example --format json",
		RunE: func(cmd *cobra.Command, args []string) error {
			report, err := c.compare(cmd.Context(), args, std, change.Options{Depth: change.Static})
			if err != nil {
				return err
			}
			if err := c.write(std, report); err != nil {
				return err
			}
			switch report.Outcome {
			case change.Same:
				return nil
			case change.Unloadable:
				return &failure{err: errors.New("the new version does not load"), exit: exitNotCompile, quiet: true}
			}
			return &failure{err: errors.New("the versions differ"), exit: exitFailed, quiet: true}
		},
	}
	c.flags(cmd)
	chooseFlag(cmd, &c.format, "format", "form of the report", "pretty", "json")
	return cmd
}
