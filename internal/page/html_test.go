package page_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/page"
)

// element is a start tag of a page.
type element struct {
	name  string
	attrs map[string]string
}

// elements reads a page, whose tags must be balanced, and returns them with the text outside of the style.
func elements(t *testing.T, html string) (list []element, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(html))
	d.Strict, d.AutoClose, d.Entity = false, append(xml.HTMLAutoClose, "wbr"), xml.HTMLEntity
	var b strings.Builder
	var open []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return list, b.String()
		}
		if err != nil {
			t.Fatalf("read the page: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := element{token.Name.Local, map[string]string{}}
			for _, a := range token.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			list, open = append(list, e), append(open, e.name)
		case xml.EndElement:
			if n := len(open); n == 0 || open[n-1] != token.Name.Local {
				t.Fatalf("%s ends within %v", token.Name.Local, open)
			}
			open = open[:len(open)-1]
		case xml.CharData:
			if !slices.Contains(open, "style") {
				b.Write(token)
			}
		case xml.Comment:
			t.Errorf("the page has a comment: %q", token)
		}
	}
}

func TestTextsOfOutsidersBecomeTextOfThePage(t *testing.T) {
	plain, _ := elements(t, htmlOf(t, whole("plain")))
	count := func(list []element) map[string]int {
		out := map[string]int{}
		for _, e := range list {
			out[e.name]++
		}
		return out
	}
	own := count(plain)
	for name, text := range hostile() {
		html := htmlOf(t, whole(text))
		list, _ := elements(t, html)
		for tag, n := range count(list) {
			// Hidden characters, values within prose and lines of sources have tags of the page's own.
			if n > own[tag] && !slices.Contains([]string{"span", "code", "td", "tr", "mark", "wbr"}, tag) {
				t.Errorf("%s: %d elements %s, and %d for a plain text", name, n, tag, own[tag])
			}
		}
		for _, e := range list {
			for attr, value := range e.attrs {
				if strings.HasPrefix(attr, "on") || attr == "src" || attr == "style" ||
					attr == "href" && !strings.HasPrefix(value, "#") {
					t.Errorf("%s: %s has %s=%q", name, e.name, attr, value)
				}
			}
		}
		if len(html) > 8<<20 {
			t.Errorf("%s: the page has %d bytes", name, len(html))
		}
	}
}

func TestHiddenCharactersAreShownByTheirCodePoints(t *testing.T) {
	for name, want := range map[string]string{
		"controls":  `a[U+0000]b[U+001B][31mc[U+000D]d[U+007F]e[U+0085]f[U+2028]g`,
		"direction": `a[U+202E]b[U+2066]c[U+200F]d[U+061C]e`,
		"blanks":    `a[U+200B]b[U+00A0]c[U+3164]d[U+2800]e[U+FEFF]f[U+E0041]g`,
		"marks":     "a\u0301\u0301[U+0301][U+0301][U+0301]b",
		"not utf-8": `a[0xFF][0xFE][0xC3]b`,
	} {
		html := htmlOf(t, page.Document{Verdict: hostile()[name]})
		if _, text := elements(t, html); !strings.Contains(text, want) {
			t.Errorf("%s: no %s in\n%s", name, want, text)
		}
		if !strings.Contains(markdownOf(t, page.Document{Verdict: hostile()[name]}, page.CommentLimit), want) {
			t.Errorf("%s: no %s in the Markdown", name, want)
		}
	}
}

func TestAPageAdmitsItsOwnStyleAndNothingElse(t *testing.T) {
	html := htmlOf(t, whole("text"))
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(html)[1]
	sum := sha256.Sum256([]byte(style))
	list, _ := elements(t, html)
	i := slices.IndexFunc(list, func(e element) bool { return e.attrs["http-equiv"] == "Content-Security-Policy" })
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'"
	if got := list[i].attrs["content"]; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, word := range []string{"url(", "@import", "<script", "<link", "<img"} {
		if strings.Contains(html, word) {
			t.Errorf("the page has %s", word)
		}
	}
}

func TestAPageCanBeReadByItsStructure(t *testing.T) {
	list, _ := elements(t, htmlOf(t, whole("text")))
	count, level, ids := map[string]int{}, 0, map[string]bool{}
	for _, e := range list {
		count[e.name]++
		if len(e.name) == 2 && e.name[0] == 'h' && e.name[1] <= '6' {
			next := int(e.name[1] - '0')
			if next > level+2 { // a list of changed conditions in a section has no card above it
				t.Errorf("a heading of level %d follows one of level %d", next, level)
			}
			level = next
		}
		if e.name == "th" && e.attrs["scope"] == "" {
			t.Error("a heading of a table has no scope")
		}
		if id := e.attrs["id"]; id != "" {
			if ids[id] && id != "a-table" && id != "a-card" { // the document has these in several places
				t.Errorf("id %s is there twice", id)
			}
			ids[id] = true
		}
	}
	for _, once := range []string{"html", "title", "h1", "main", "header", "nav", "footer"} {
		if count[once] != 1 {
			t.Errorf("%d elements %s", count[once], once)
		}
	}
	if list[0].attrs["lang"] != "en" {
		t.Error("the page names no language")
	}
	for _, e := range list {
		if to := e.attrs["href"]; to != "" && !ids[to[1:]] {
			t.Errorf("a link leads to %s, which is not there", to)
		}
		if by := e.attrs["aria-labelledby"]; by != "" && !ids[by] {
			t.Errorf("%s is named by %s, which is not there", e.name, by)
		}
	}
}

func TestAnEmptyDocumentIsAPage(t *testing.T) {
	elements(t, htmlOf(t, page.Document{}))
}
