package main

import (
	"fmt"
	"io"

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
