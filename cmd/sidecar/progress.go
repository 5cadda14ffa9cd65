package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// progress is one line that says what long work is at. It is shown where standard error is a terminal.
type progress struct {
	to    io.Writer // nil where nothing is shown
	shown bool
}

func newProgress(std streams) *progress {
	if f, ok := std.err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &progress{to: f}
	}
	return &progress{}
}

// say shows a text in place of the last one.
func (p *progress) say(format string, args ...any) {
	if p.to == nil {
		return
	}
	fmt.Fprintf(p.to, "\r\x1b[K"+format, args...)
	p.shown = true
}

// done takes the line away.
func (p *progress) done() {
	if p.to != nil && p.shown {
		fmt.Fprint(p.to, "\r\x1b[K")
		p.shown = false
	}
}
