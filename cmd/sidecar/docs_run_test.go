package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// tally counts what became of blocks.
type tally struct {
	sync.Mutex
	count map[string]int
}

func (c *tally) add(what string) {
	c.Lock()
	defer c.Unlock()
	c.count[what]++
}

// TestDocs goes through README.md and the pages of docs as a reader does: a page is a session in an empty directory,
// and its blocks run in their order, with the real binary.
//
//	console                 commands after "$ ", each with what it prints
//	sh                      commands that must succeed; "sh exit=5": that end so; "sh script": one of several lines
//	json output             what the last command printed; text, yaml, ... likewise
//	text server             lines that the running server prints
//	yaml NAME               a file in any language, which the commands below find; "yaml NAME first": all commands
//	json, yaml, rego, go    are read by what reads them
//	python, js, java        are part of a program under clients
//	<!-- run: ... -->       what a reader of the page has done before, such as cp -r "$ROOT/policies" .
//
// "sidecar dev" and "sidecar serve" run in the background on free ports, until the page starts another one.
// $SESSION/server is a file with what the last of them has printed. Whatever cannot run has its reason in exemptions.
func TestDocs(t *testing.T) {
	root := repository(t)
	var pages []string
	for _, folder := range []string{"docs", "docs/gateways"} {
		found, err := filepath.Glob(filepath.Join(root, folder, "*.md"))
		if err != nil || len(found) < 2 {
			t.Fatal(found, err)
		}
		pages = append(pages, found...)
	}
	all := &tally{count: map[string]int{}}
	excused := &tally{count: map[string]int{}}
	t.Run("pages", func(t *testing.T) {
		for _, page := range append(pages, filepath.Join(root, "README.md")) {
			name, err := filepath.Rel(root, page)
			if err != nil {
				t.Fatal(err)
			}
			blocks := blocksOf(name, testkit.ReadFile(t, page))
			if len(blocks) == 0 {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				goThrough(t, newSession(t, root), blocks, all, excused)
			})
		}
	})
	t.Log(all.count)
	for i, e := range exemptions {
		if all.count["page "+e.page] > 0 && excused.count[fmt.Sprint(i)] == 0 {
			t.Errorf("no block is %s %q any more: delete its exemption", e.page, e.begins)
		}
	}
}

func goThrough(t *testing.T, s *session, blocks []block, all, excused *tally) {
	all.add("page " + blocks[0].page)
	for _, b := range blocks {
		if b.says("first") {
			testkit.WriteFile(t, filepath.Join(s.dir, b.file()), b.text)
		}
	}
	for _, b := range blocks {
		if i := exempt(b.page, b.lang, b.text); i >= 0 {
			excused.add(fmt.Sprint(i))
			all.add("exempt")
			continue
		}
		switch {
		case b.says("output"):
			all.add("output compared")
			if !matches(b.text, s.last) {
				t.Errorf("%s shows\n%s\nand the command printed\n%s", b, b.text, s.last)
			}
			s.lastStatus = 0
		case b.says("server"):
			all.add("output compared")
			for _, line := range strings.Split(strings.TrimSpace(b.text), "\n") {
				s.printed(t, line)
			}
		case b.lang == "console" || b.lang == "sh" || b.lang == "bash":
			all.add(b.lang + " run")
			runBlock(t, s, b, func(command string) bool {
				i := exempt(b.page, "command", command)
				excused.add(fmt.Sprint(i))
				return i >= 0
			})
		default:
			if name := b.file(); name != "" {
				all.add("file written")
				testkit.WriteFile(t, filepath.Join(s.dir, name), s.inUse(b.text))
			}
			if err := readable(t, b); err != nil {
				t.Errorf("%s: %v\n%s", b, err, b.text)
			} else if b.file() == "" {
				all.add(b.lang + " read")
			}
		}
	}
}

// runBlock runs the commands of a block. Output that is shown is compared. Where none is shown, a command must
// succeed, or end as the block says.
func runBlock(t *testing.T, s *session, b block, skip func(command string) bool) {
	t.Helper()
	for _, step := range steps(b) {
		if skip(step.command) || otherPrograms[strings.Fields(step.command)[0]] != "" {
			continue
		}
		if word := unknownProgram(step.command); word != "" {
			t.Errorf("%s: %q is no command of the tests: give it an exemption with its reason", b, word)
			continue
		}
		line := strings.Replace(step.command, "go run ./cmd/sidecar", "sidecar", 1)
		if m := serverLine.FindStringSubmatch(line); m != nil && !strings.Contains(m[3], "--help") {
			s.start(t, m[1], m[2], m[3])
		} else {
			s.run(t, line)
		}
		want := 0
		for _, word := range b.info {
			if n, err := fmt.Sscanf(word, "exit=%d", &want); n == 1 && err != nil {
				t.Error(err)
			}
		}
		switch {
		case step.want != "":
			if !matches(step.want, s.last) {
				t.Errorf("%s: %s\nprinted\n%s\nand the page shows\n%s", b, step.command, s.last, step.want)
			}
		case s.lastStatus != want:
			t.Errorf("%s: %s\nended with %d: %s", b, step.command, s.lastStatus, s.last)
		}
	}
}

// programs are those that every machine with a shell has, and those that TestMain makes.
var programs = strings.Fields(`sidecar curl jq printf echo cat cd mkdir cp mv rm ls sed grep eval for export test chmod
	head tail diff touch case kill until unset sleep`)

// unknownProgram is the first word of a command, if the tests do not have it on each machine.
func unknownProgram(command string) string {
	word := strings.TrimSuffix(strings.Fields(command)[0], ";")
	name, _, assigned := strings.Cut(word, "=")
	if assigned && name == strings.ToUpper(name) || slices.Contains(programs, word) ||
		strings.HasPrefix(command, "go run ./cmd/sidecar") {
		return ""
	}
	return word
}
