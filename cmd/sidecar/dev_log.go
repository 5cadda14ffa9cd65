package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/bundle/library"
	"github.com/authz-sidecar/sidecar/internal/config"
)

// logVariable names the file of the decision log in the environment.
const logVariable = "SIDECAR_DECISION_LOG_FILE="

// logFile is the file that dev appends decisions to, so that each can be explained: that of --decision-log, or one in
// a temporary directory, which remove removes. It is "" where the environment names another.
func (d *development) logFile(environ []string) (file string, remove func(), err error) {
	named := slices.ContainsFunc(environ, func(v string) bool { return strings.HasPrefix(v, logVariable) })
	if d.log != "" || named {
		return d.log, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "sidecar-dev-")
	if err != nil {
		return "", nil, &failure{err: fmt.Errorf("make a directory for the decision log: %w", err), exit: exitFailed,
			hint: "name a file for it: sidecar dev --decision-log FILE"}
	}
	return filepath.Join(dir, "decisions.jsonl"), func() { _ = os.RemoveAll(dir) }, nil
}

// explainLast is the command that explains the last decision in a log of dev.
func explainLast(cfg *config.Config) string {
	line := "sidecar explain last --log " + cfg.DecisionLog.File
	if paths := slices.Concat(cfg.Policies.Paths, cfg.Policies.Bundles); len(paths) > 0 {
		line += " --policies " + strings.Join(paths, ",")
	}
	return line
}

// asDev makes cfg read the example of the binary, as dev does where nothing names policies and none are here.
func (s *source) asDev(cfg *config.Config) {
	if len(s.paths) == 0 && s.found() == "" && len(pathsIn(".")) == 0 {
		cfg.Policies.Paths, cfg.Policies.Embedded = nil, library.Example()
	}
}
