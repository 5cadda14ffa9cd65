package page_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/authz-sidecar/sidecar/internal/page"
)

func TestWordsThatAreMoreThanWordsAreCode(t *testing.T) {
	for text, want := range map[string]string{
		"3 requests are allowed, and were denied.":  "3 requests are allowed, and were denied.",
		"GET /orders (missing_role), at 12:30:00.":  "GET `/orders` (`missing_role`), at 12:30:00.",
		`is "a.b", was "c"`:                         "is \"`a.b`\", was \"c\"",
		"@admin asks #1 at https://x.example.":      "`@admin` asks `#1` at `https://x.example`.",
		"GH-1 a@x.example :+1: org/repo#2":          "`GH-1` `a@x.example` `:+1`: `org/repo#2`",
		"deadbeef 1234567 abcdef0":                  "`deadbeef` `1234567` `abcdef0`",
		"1. first":                                  `1\. first`,
		"- no list":                                 "`-` no list",
		"*b* _i_ `c` <b> [l](x) ~~s~~ \\":           "`*b*` `_i_` `` `c` `` `<b>` `[l](x)` `~~s~~` `\\`",
		"a\nb":                                      "`a[U+000A]b`",
		"don't count 1,234 at 97.5 %":               "don't count 1,234 at 97.5 %",
		"count(deny) == 0":                          "`count(deny)` `==` 0",
		"input.token.claims.email is newly read; x": "`input.token.claims.email` is newly read; x",
	} {
		got := markdownOf(t, page.Document{Title: "T", Head: []page.Block{page.Paragraph(page.Say(text))}},
			page.CommentLimit)
		_, got, _ = strings.Cut(strings.TrimSpace(got), "**T**\n\n")
		if got != want {
			t.Errorf("%q becomes\n     %s\nwant %s", text, got, want)
		}
	}
}

func TestAStrokeEndsNoCell(t *testing.T) {
	for text, want := range map[string]string{
		"a|b": "`a\\|b`", `a\|b`: "`a\\[U+007C]b`", `a\\|b`: "`a\\\\[U+007C]b`", "|": "`\\|`",
	} {
		table := page.Table{Columns: []string{"x"}, Rows: [][]page.Text{{page.Code(text)}, {page.Say(text)}}}
		got := markdownOf(t, page.Document{Head: []page.Block{table}}, page.CommentLimit)
		if n := strings.Count(got, "| "+want+" |\n"); n != 2 {
			t.Errorf("%q: %d cells %s in\n%s", text, n, want, got)
		}
	}
}

func TestAFenceIsLongerThanTicksWithin(t *testing.T) {
	got := markdownOf(t, page.Document{Head: []page.Block{page.Source{Text: "a\n````\nb\n", Language: "sh"}}},
		page.CommentLimit)
	if !strings.Contains(got, "`````sh\na\n````\nb\n`````\n") {
		t.Errorf("got\n%s", got)
	}
}

func TestACommentKeepsItsLimitAndNamesWhatItLeavesOut(t *testing.T) {
	end := page.Fact{Name: "this report", Value: page.Code("sha256:00")}
	d := page.Document{Verdict: "Wider", End: []page.Fact{end}}
	for _, title := range []string{"First", "Second", "Third"} {
		d.Sections = append(d.Sections, page.Section{ID: title, Title: title, Fold: page.Closed,
			Blocks: []page.Block{page.Paragraph(page.Say("short")), page.Source{Text: strings.Repeat("line\n", 70)}}})
	}
	whole := markdownOf(t, d, page.CommentLimit)
	if strings.Contains(whole, "Cut") {
		t.Errorf("it is cut although it fits:\n%s", whole)
	}
	for limit := 700; limit < len(whole)+500; limit += 50 {
		got := markdownOf(t, d, limit)
		if n := utf8.RuneCountInString(got); n > limit {
			t.Errorf("%d characters, and the limit is %d", n, limit)
		}
		if strings.Count(got, "<details>") != strings.Count(got, "</details>") || strings.Count(got, "```")%2 != 0 {
			t.Errorf("limit %d: something does not end:\n%s", limit, got)
		}
		if !strings.HasSuffix(got, "- this report: `sha256:00`\n\n") {
			t.Errorf("limit %d: the digest is missing", limit)
		}
		all := strings.Count(got, "line\n") == 3*70
		if cut := strings.Contains(got, "**Cut:**"); cut == all || cut && !strings.Contains(got, "Third") {
			t.Errorf("limit %d: what is left out is not named:\n%s", limit, got)
		}
	}
}

func TestACommentWithTextsOfOutsidersKeepsItsLimit(t *testing.T) {
	for name, text := range hostile() {
		if n := utf8.RuneCountInString(markdownOf(t, whole(text), page.CommentLimit)); n > page.CommentLimit {
			t.Errorf("%s: %d characters", name, n)
		}
	}
}

func TestTheTitleOfAFoldedPartHasValuesAsCode(t *testing.T) {
	title := page.Text{{Text: "by @admin"}, {Text: " <b> ", As: page.Strong}, {Text: "a&b", As: page.Value}}
	got := markdownOf(t, page.Document{Head: []page.Block{page.Folded{Title: title}}}, page.CommentLimit)
	want := "<summary>by <code>@admin</code> <code>&lt;b&gt;</code> <code>a&amp;b</code></summary>"
	if !strings.Contains(got, want) {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
