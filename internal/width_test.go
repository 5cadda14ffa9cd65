package internal_test

import (
	"go/scanner"
	"go/token"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	// columns is the width at which a line is too long. A tab is four columns.
	columns = 120
	// unbroken is the width from which a text is data that need not be broken: a struct tag, a URL, a JSON document.
	unbroken = 60
)

// TestLinesAreNarrow measures lines of Go without the long texts in them.
func TestLinesAreNarrow(t *testing.T) {
	eachFile(t, []string{".go"}, func(name string, text []byte) {
		spared := textColumns(text)
		for n, line := range numbered(text) {
			if w := width(line) - spared[n]; w >= columns {
				t.Errorf("%s:%d: %d columns", name, n, w)
			}
		}
	})
}

// textColumns is how many columns of each line, by its number, are texts that need not be broken.
func textColumns(src []byte) map[int]int {
	spared := map[int]int{}
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(src))
	s.Init(file, src, nil, 0)
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			return spared
		}
		if tok != token.STRING {
			continue
		}
		for i, line := range strings.Split(text, "\n") {
			if w := width(line); w >= unbroken || strings.Contains(text, "\n") {
				spared[file.Line(pos)+i] += w
			}
		}
	}
}

func width(line string) int { return utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    ")) }
