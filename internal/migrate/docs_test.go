package migrate

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of docs/migrate.md")

const page = "../../docs/migrate.md"

func TestThePageHasTheTableOfRenames(t *testing.T) {
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(raw), "-update -->\n")
	_, after, ended := strings.Cut(rest, "<!-- end of table -->")
	if !found || !ended {
		t.Fatal("the marks of the table are gone")
	}
	want := before + "-update -->\n" + markdownTable() + "<!-- end of table -->" + after
	if string(raw) == want {
		return
	}
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s has another table than table*.go: run go test ./internal/migrate -update", page)
}

// words are what the page says for the words of the table.
var words = map[string]string{isHeaders: "header", isQuery: "query", isPath: "path", isSegments: "path",
	isURI: "`data.migrated.path_and_query`", isParsedBody: "`data.migrated.parsed_body`",
	isBody:     "`input.request.body`",
	isBodyText: "`input.request.body`, \"\" without one", isTruncated: "`input.request.body_truncated`",
	isAuthority: "scopes and roles", isUser: "`input.token.subject.id`, by `--user`",
	isToken:   "the text of a token: never",
	isNothing: "-", isSeconds: "`time.now_ns()`", isPayload: "`input.token.claims`"}

func markdownTable() string {
	var b strings.Builder
	for _, p := range products {
		if len(p.rows) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n`--from %s`\n\n| input there | here | |\n|---|---|---|\n", p.title, p.name)
		for _, r := range p.rows {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.theirs, cell(r.ours), r.note)
		}
	}
	b.WriteString("\n")
	return b.String()
}

func cell(ours string) string {
	if word, ok := words[ours]; ok {
		return word
	}
	if text, ok := strings.CutPrefix(ours, isConstant); ok {
		return fmt.Sprintf("always `%q`", text)
	}
	if name, ok := strings.CutPrefix(ours, "@header:"); ok {
		return "header `" + name + "`"
	}
	if rest, ok := strings.CutPrefix(strings.TrimPrefix(ours, "@leaf:"), "input.context."); ok {
		return "context: `" + rest + "`"
	}
	return "`" + strings.TrimPrefix(ours, "@leaf:") + "`"
}

func TestEachRowNamesAMemberOrAWord(t *testing.T) {
	for _, p := range products {
		seen := map[string]bool{}
		for _, r := range p.rows {
			if seen[r.theirs] {
				t.Errorf("%s: %s is there twice", p.name, r.theirs)
			}
			seen[r.theirs] = true
			if !strings.HasPrefix(r.ours, "input.") && !strings.HasPrefix(r.ours, "@") && r.ours != isNothing {
				t.Errorf("%s: %s is %q", p.name, r.theirs, r.ours)
			}
		}
	}
}
