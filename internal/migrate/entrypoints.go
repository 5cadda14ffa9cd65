package migrate

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// dropEntrypoints takes the mark of an entrypoint from rules that answer as another product asks: the sidecar would
// refuse their results. The new rule is the entrypoint.
func (s *session) dropEntrypoints() {
	for _, m := range s.modules {
		comments := m.ast.Comments
		for i, c := range comments {
			if strings.TrimSpace(string(c.Text)) != "entrypoint: true" {
				continue
			}
			s.report.note(m.file, c.Location.Row, "the rule is no entrypoint any more: the new decision is one",
				"engine.entrypoints can name it, where its result is one of the sidecar")
			drop := []*ast.Comment{c}
			if i > 0 && strings.TrimSpace(string(comments[i-1].Text)) == "METADATA" &&
				(i+1 == len(comments) || comments[i+1].Location.Row != c.Location.Row+1) {
				drop = append(drop, comments[i-1]) // it said nothing else
			}
			m.ast.Comments = slices.DeleteFunc(slices.Clone(m.ast.Comments), func(c *ast.Comment) bool {
				return slices.Contains(drop, c)
			})
		}
	}
}
