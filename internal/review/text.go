package review

import (
	"fmt"
	"io"

	"github.com/authz-sidecar/sidecar/internal/lint"
)

// WriteText writes a finding a line: "file:row:col: code: message" for errors, with "warning: " or "note: " before the
// code for others.
func (r Report) WriteText(w io.Writer) error {
	for _, f := range r.Findings {
		if _, err := fmt.Fprintln(w, line(f)); err != nil {
			return err
		}
	}
	return nil
}

func line(f lint.Finding) string {
	if f.Level != lint.Error {
		f.Code = string(f.Level) + ": " + f.Code
	}
	return f.String()
}
