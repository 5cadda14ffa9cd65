package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// prompt asks a person at a terminal, and reads lines that are piped in without asking.
type prompt struct {
	ctx context.Context
	in  io.Reader
	out io.Writer
	// fd is the terminal; -1 when there is none.
	fd int
}

func newPrompt(ctx context.Context, std streams) *prompt {
	p := &prompt{ctx: ctx, in: std.in, out: std.err, fd: -1}
	if f, ok := std.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.fd = int(f.Fd())
	}
	return p
}

// line returns the next line, without blanks around it; "" at the end of the input.
func (p *prompt) line(text string) (string, error) {
	if p.fd >= 0 {
		fmt.Fprint(p.out, text)
	}
	return p.await(func() (string, error) { return readLine(p.in) })
}

// secret is line, and does not show what is typed.
func (p *prompt) secret(text string) (string, error) {
	if p.fd < 0 {
		return p.line(text)
	}
	before, err := term.GetState(p.fd)
	if err != nil {
		return "", fmt.Errorf("ask for a secret: %w", err)
	}
	fmt.Fprint(p.out, text)
	typed, err := p.await(func() (string, error) {
		b, err := term.ReadPassword(p.fd)
		return strings.TrimSpace(string(b)), err
	})
	if p.ctx.Err() != nil { // the reading goes on, and would leave the terminal mute
		_ = term.Restore(p.fd, before)
	}
	fmt.Fprintln(p.out)
	return typed, err
}

// await waits for a reading, which nothing can stop, or for the end of the command.
func (p *prompt) await(read func() (string, error)) (string, error) {
	type outcome struct {
		text string
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		text, err := read()
		done <- outcome{text, err}
	}()
	select {
	case o := <-done:
		return o.text, o.err
	case <-p.ctx.Done():
		return "", context.Cause(p.ctx)
	}
}

// maxLine bounds what is read for one line.
const maxLine = 64 << 10

// readLine reads a line, and nothing after it: what follows may be a secret, which another reading takes.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); len(line) < maxLine; {
		n, err := r.Read(b)
		switch {
		case n == 1 && b[0] == '\n', errors.Is(err, io.EOF):
			return strings.TrimSpace(string(append(line, b[:n]...))), nil
		case err != nil:
			return "", fmt.Errorf("read standard input: %w", err)
		}
		line = append(line, b[:n]...)
	}
	return "", fmt.Errorf("read standard input: a line of more than %d bytes", maxLine)
}
