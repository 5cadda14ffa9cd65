package main

import (
	"fmt"
	"regexp"
	"strings"
)

// block is a fenced block of a page, or a comment "<!-- run: ... -->", which runs like one of sh and is not shown.
type block struct {
	page string
	line int      // of the fence, from 1
	lang string   // the first word after the fence: console, sh, json, ...
	info []string // the words after it
	text string
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

// says tells whether a word follows the language: ```json output.
func (b block) says(word string) bool {
	for _, have := range b.info {
		if have == word {
			return true
		}
	}
	return false
}

// file is the name of the file that the block holds, or empty: ```yaml policies/routes/data.yaml.
func (b block) file() string {
	if len(b.info) > 0 && strings.Contains(b.info[0], ".") {
		return b.info[0]
	}
	return ""
}

var (
	fenced = regexp.MustCompile("(?ms)^( *)```([^\n`]*)\n(.*?)^ *```$")
	hidden = regexp.MustCompile(`(?ms)^<!-- run: (.*?) ?-->$`)
)

// blocksOf returns the blocks of a page in their order.
func blocksOf(page, text string) []block {
	var blocks []block
	at := 0
	for {
		fence, comment := fenced.FindStringSubmatchIndex(text[at:]), hidden.FindStringSubmatchIndex(text[at:])
		b := block{page: page, lang: "sh"}
		end := 0
		switch {
		case comment != nil && (fence == nil || comment[0] < fence[0]):
			b.line = 1 + strings.Count(text[:at+comment[0]], "\n")
			b.text, end = text[at+comment[2]:at+comment[3]]+"\n", at+comment[1]
		case fence != nil:
			b.line = 1 + strings.Count(text[:at+fence[0]], "\n")
			words := strings.Fields(text[at+fence[4] : at+fence[5]])
			b.lang = "text"
			if len(words) > 0 {
				b.lang, b.info = words[0], words[1:]
			}
			indent := text[at+fence[2] : at+fence[3]]
			b.text = strings.TrimPrefix(strings.ReplaceAll("\n"+text[at+fence[6]:at+fence[7]], "\n"+indent, "\n"),
				"\n")
			end = at + fence[1]
		default:
			return blocks
		}
		blocks = append(blocks, b)
		at = end
	}
}

// step is one command of a block, and what must follow it.
type step struct {
	command, want string
}

// steps cuts a block of console or sh into its commands. A command goes on while a quote or a here-document is open,
// and after a backslash or a pipe. In console, a command begins with "$ ", and the lines after it are its output.
func steps(b block) []step {
	if b.says("script") {
		return []step{{command: b.text}}
	}
	var all []step
	lines := strings.SplitAfter(strings.TrimSuffix(b.text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		prompt := strings.HasPrefix(line, "$ ")
		if b.lang == "console" && !prompt {
			if len(all) > 0 {
				all[len(all)-1].want += line
			}
			continue
		}
		command := strings.TrimPrefix(line, "$ ")
		for open(command) && i+1 < len(lines) {
			i++
			command += strings.TrimPrefix(lines[i], "> ")
		}
		if command = strings.TrimSpace(command); command != "" && !strings.HasPrefix(command, "#") {
			all = append(all, step{command: command})
		}
	}
	return all
}

var (
	hereDocument = regexp.MustCompile(`<<-?'?(\w+)'?[^\n]*\n((?s:.*))`)
	control      = regexp.MustCompile(`(?m)^\s*(case|esac|for|done|if|fi|while)\b`)
)

// open tells whether a shell would wait for more.
func open(command string) bool {
	if m := hereDocument.FindStringSubmatch(command + "\n"); m != nil {
		return !strings.Contains("\n"+m[2], "\n"+m[1]+"\n")
	}
	quote := rune(0)
	bare := strings.Builder{}
	for _, c := range command {
		switch {
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case c == quote:
			quote = 0
		case quote == 0:
			bare.WriteRune(c)
		}
	}
	depth := 0
	for _, word := range control.FindAllString(bare.String(), -1) {
		switch strings.TrimSpace(word) {
		case "case", "for", "if", "while":
			depth++
		default:
			depth--
		}
	}
	end := strings.TrimRight(bare.String(), " \n")
	return quote != 0 || depth > 0 || strings.HasSuffix(end, `\`) || strings.HasSuffix(end, "|") ||
		strings.HasSuffix(end, "&&")
}
