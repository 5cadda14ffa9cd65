package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/doctor"
)

// printFindings writes what the doctor found, a finding a line and its remedy below.
func printFindings(w io.Writer, findings []doctor.Finding) {
	for _, f := range findings {
		fmt.Fprintf(w, "%-5s  %s: %s\n", f.Level, f.Check, f.Says)
		if f.Do != "" {
			fmt.Fprintf(w, "       do: %s\n", f.Do)
		}
	}
}

// summary is the last line: how many faults and doubts there are.
func summary(findings []doctor.Finding) string {
	return countedFindings(doctor.Count(findings, doctor.Fault), doctor.Count(findings, doctor.Doubt))
}

func countedFindings(faults, doubts int) string {
	count := func(n int, level doctor.Level) string {
		if n == 0 {
			return fmt.Sprintf("no %ss", level)
		}
		return counted(n, string(level))
	}
	return count(faults, doctor.Fault) + ", " + count(doubts, doctor.Doubt)
}

// threshold decides which findings fail a command: faults, and with --strict doubts too.
type threshold struct{ strict bool }

func (th *threshold) flag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&th.strict, "strict", false, "fail for doubts too")
}

// outcome is the failure, with a message, that findings are for a command, or nil.
func (th threshold) outcome(faults, doubts int, message string) error {
	switch {
	case faults > 0:
		return &failure{err: errors.New(message), hint: "the findings say why, and what to do", exit: exitFailed}
	case th.strict && doubts > 0:
		return &failure{err: fmt.Errorf("there is a doubt, which fails with --strict: %s",
			countedFindings(faults, doubts)),
			hint: "the findings say what to do", exit: exitFailed}
	}
	return nil
}
