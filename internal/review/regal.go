package review

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/lint"
)

// longestRegal bounds a run of Regal.
const longestRegal = time.Minute

// codeRegal is the code of the finding that Regal did not run; its own are regal/<rule>.
const codeRegal = "regal"

// regalReport is what "regal lint --format json" prints, as far as it is read.
type regalReport struct {
	Violations []struct {
		Title       string `json:"title"`
		Description string `json:"description"`
		Level       string `json:"level"`
		Related     []struct {
			Ref string `json:"ref"`
		} `json:"related_resources"`
		Location struct {
			File string `json:"file"`
			Row  int    `json:"row"`
			Col  int    `json:"col"`
		} `json:"location"`
	} `json:"violations"`
}

// regal are the findings of Regal about the policies, where there is such a program. To Regal everything is an error
// by default, style too: its errors are warnings here, and its warnings are notes.
func (s Subject) regal(ctx context.Context) []lint.Finding {
	if s.Regal == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, longestRegal)
	defer cancel()
	dirs := slices.Concat(s.Config.Policies.Paths, s.Config.Policies.Bundles)
	cmd := exec.CommandContext(ctx, s.Regal, append([]string{"lint", "--format", "json", "--"}, dirs...)...)
	cmd.WaitDelay = time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	failed := cmd.Run() // it fails when there are violations, too
	var report regalReport
	err := json.Unmarshal(out.Bytes(), &report)
	if err != nil || failed != nil && len(report.Violations) == 0 {
		reason := firstLine(errs.String())
		if reason == "" && failed != nil {
			reason = failed.Error()
		}
		p := bundle.Problem{File: s.Regal, Code: codeRegal,
			Message: fmt.Sprintf("regal lint printed no report (%s); --regal=off leaves it out", reason)}
		return []lint.Finding{{Problem: p, Level: lint.Note}}
	}
	var found []lint.Finding
	for _, v := range report.Violations {
		f := lint.Finding{Level: lint.Warning, Problem: bundle.Problem{
			File: filepath.ToSlash(filepath.Clean(v.Location.File)), Row: v.Location.Row, Col: max(1, v.Location.Col),
			Code: codeRegal + "/" + v.Title, Message: firstLine(v.Description)}}
		if v.Level == "warning" {
			f.Level = lint.Note
		}
		if len(v.Related) > 0 {
			f.Message += "; " + v.Related[0].Ref
		}
		found = append(found, f)
	}
	return found
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
