package engine

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/topdown/print"

	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
)

// maxPrints bounds what print() writes in one evaluation, maxPrintBytes each text of it.
const (
	maxPrints     = 100
	maxPrintBytes = 4 << 10
)

// prints collects what print() writes.
type prints struct{ all []Print }

// Print implements print.Hook. An error would end the evaluation.
func (p *prints) Print(c print.Context, text string) error {
	if len(p.all) < maxPrints {
		p.all = append(p.all, printOf(c, text))
	}
	return nil
}

func printOf(c print.Context, text string) Print {
	if len(text) > maxPrintBytes {
		text = strings.ToValidUTF8(text[:maxPrintBytes], "") + " ..."
	}
	out := Print{Text: text}
	if c.Location != nil {
		out.File, out.Row = c.Location.File, c.Location.Row
	}
	return out
}

// printer hands what print() writes on as it is written.
type printer struct {
	decisionID string
	to         func(decisionID string, p Print)
	left       int
	notes      *builtins.Notes
}

// printHook is the hook of the evaluation for one decision, or nil where policies do not print. Each decision prints,
// so an evaluation that does tells notes, which may be nil.
func (p *Policy) printHook(decisionID string, notes *builtins.Notes) print.Hook {
	if p.print == nil {
		return nil
	}
	return &printer{decisionID, p.print, maxPrints, notes}
}

// Print implements print.Hook.
func (p *printer) Print(c print.Context, text string) error {
	if p.notes != nil {
		p.notes.Vary()
	}
	if p.left > 0 {
		p.left--
		p.to(p.decisionID, printOf(c, text))
	}
	return nil
}
