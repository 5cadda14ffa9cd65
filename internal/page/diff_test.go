package page_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/page"
)

// sides are the rows of the diff of a page: numbers and texts of both sides, with | between them and marks in [].
func sides(t *testing.T, d page.Diff) []string {
	t.Helper()
	html := htmlOf(t, page.Document{Head: []page.Block{d}})
	_, body, _ := strings.Cut(html, "<tbody role=\"rowgroup\">\n")
	body, _, _ = strings.Cut(body, "\n</tbody>")
	body = strings.NewReplacer("<mark>", "[", "</mark>", "]", "</td>", "|", "&#43;", "+").Replace(body)
	return strings.Split(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, ""), "\n")
}

func TestADiffHasLinesBesideEachOtherAndMarksWords(t *testing.T) {
	got := sides(t, page.Diff{Old: "a\nscope in input.token.scopes\nb\nc\n",
		New:    "a\nscope in input.token.roles\nc\nd\n",
		OldRow: 40, NewRow: 50})
	want := []string{
		"40|a|50|a|", "41|scope in input.token.[scopes]|51|scope in input.token.[roles]|", "42|b|||", "43|c|52|c|",
		"|||",
	}
	want[4] = "||53|d|"
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestADiffOfOneSideHasOneColumn(t *testing.T) {
	got := sides(t, page.Diff{New: "a\nb\n", NewRow: 7})
	if strings.Join(got, "\n") != "7|a|\n8|b|" {
		t.Errorf("got %q", got)
	}
}

func TestADiffSkipsEqualLinesFarFromAChange(t *testing.T) {
	same := strings.Repeat("s\n", 20)
	got := sides(t, page.Diff{Old: same + "a\n" + same, New: same + "b\n" + same})
	if len(got) != 11 || got[0] != "16 equal lines|" || got[5] != "21|a|21|b|" || got[10] != "16 equal lines|" {
		t.Errorf("got %q", got)
	}
	equal := sides(t, page.Diff{Old: same, New: same})
	if len(equal) != 20 {
		t.Errorf("texts without a change have %d rows", len(equal))
	}
}

func TestLinesThatShareLittleHaveNoMarks(t *testing.T) {
	got := sides(t, page.Diff{Old: "input.token.active\n", New: "count(deny) == 0\n"})
	if got[0] != "1|input.token.active|1|count(deny) == 0|" {
		t.Errorf("got %q", got)
	}
}

func TestALineBreakOfAnotherKindIsAChange(t *testing.T) {
	got := sides(t, page.Diff{Old: "a\r\n", New: "a\n"})
	if got[0] != "1|a[[U+000D]]|1|a|" {
		t.Errorf("got %q", got)
	}
}
