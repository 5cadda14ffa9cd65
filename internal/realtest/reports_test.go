//go:build real

package realtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/page"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestReportsInABrowser shows reports as people see them: on wide and narrow screens, in light and dark, on paper. The
// pictures are kept in $SIDECAR_TEST_ARTEFACTS, or among the downloads of these tests.
func TestReportsInABrowser(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("SIDECAR_TEST_ARTEFACTS")
	if dir == "" {
		dir = cacheDir(t)
	}
	dir = absolute(t, filepath.Join(dir, "reports"))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Logf("pictures of the reports are in %s", dir)
	pages := map[string]string{
		"review":  absolute(t, "../reports/testdata/review.html"),
		"replay":  absolute(t, "../reports/testdata/replay.html"),
		"written": writtenReview(t),
		"hostile": hostilePage(t),
	}
	browser := startChromium(t)
	for name, file := range pages {
		for _, screen := range []struct {
			width   int
			colours string
		}{{1400, "light"}, {1400, "dark"}, {800, "light"}, {360, "light"}} {
			browser.open(t, file, screen.width, screen.colours)
			if name != "hostile" && screen.width != 800 {
				testkit.WriteFile(t, filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, screen.width,
					screen.colours)), string(browser.picture(t, 12_000)))
			}
			fitsWindow(t, browser, name, screen.width)
		}
		roles := browser.roles(t)
		for _, role := range []string{"banner", "navigation", "main", "table", "columnheader", "row", "cell",
			"heading"} {
			if roles[role] == 0 {
				t.Errorf("%s: at 360 pixels a screen reader finds no %s in %v", name, role, roles)
			}
		}
		if name != "hostile" {
			printed(t, browser, name, dir)
		}
	}
	if len(browser.said) > 0 {
		t.Errorf("the console of the browser has messages:\n%s", strings.Join(browser.said, "\n"))
	}
}

// fitsWindow checks that nothing, folded or not, is wider than the window, and that the page has no script and no
// reference.
func fitsWindow(t *testing.T, browser *chromium, name string, width int) {
	t.Helper()
	var got struct {
		Inner, Scroll, Foreign int
		Wide                   []string
	}
	browser.evaluate(t, `(() => {
		document.querySelectorAll("details").forEach(d => d.open = true);
		const out = e => { const r = e.getBoundingClientRect();
			const head = e.closest("thead");
			return !(head && getComputedStyle(head).clipPath != "none") && (r.right > innerWidth + 1 || r.left < -1) };
		return {Inner: innerWidth, Scroll: document.scrollingElement.scrollWidth,
			Foreign: document.querySelectorAll("script, img, iframe, object, link, [onerror]").length,
			Wide: [...document.querySelectorAll("body *")].filter(out).slice(0, 5).map(e => e.outerHTML.slice(0, 90))};
	})()`, &got)
	if got.Inner != width || got.Scroll > width || len(got.Wide) > 0 {
		t.Errorf("%s: the window has %d pixels, and the page %d: %q", name, got.Inner, got.Scroll, got.Wide)
	}
	if got.Foreign > 0 {
		t.Errorf("%s: %d elements that a report has not", name, got.Foreign)
	}
}

// printed checks the paper: A4, and the folded parts are open.
func printed(t *testing.T, browser *chromium, name, dir string) {
	t.Helper()
	file := filepath.Join(dir, name+".pdf")
	pdf := browser.print(t)
	testkit.WriteFile(t, file, string(pdf))
	if !regexp.MustCompile(`/MediaBox \[0 0 59[45][.\d]* 84[12][.\d]*\]`).Match(pdf) {
		t.Errorf("%s: the paper is not A4", name)
	}
	pages := len(regexp.MustCompile(`/Type /Page\b`).FindAll(pdf, -1))
	text := command(t, 5*time.Minute, "", tool(t, "pdftotext", "apt-get install poppler-utils"), "-layout", file, "-")
	text = regexp.MustCompile(`\s+`).ReplaceAllString(text, " ")
	want := map[string][]string{
		"review": {"Requests that were denied would be allowed (3 methods and paths)", "Why the candidate decides so",
			"Not looked at", "input.token.groups = ", "All routes, before", "no rule that decides"},
		"replay":  {"2 requests that were denied would be allowed", "input.token.groups = ", "answer changed"},
		"written": {"would be allowed", "data.authz.decision", "this report"},
	}
	for _, w := range want[name] {
		if !strings.Contains(text, w) {
			t.Errorf("%s: %d pages of paper lack %q", name, pages, w)
		}
	}
	t.Logf("%s: %d pages of paper", name, pages)
	command(t, 5*time.Minute, "", "pdftoppm", "-r", "60", "-png", "-l", "10", file, strings.TrimSuffix(file, ".pdf"))
}

// writtenReview is the page that the command writes about a small change.
func writtenReview(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	policy := "package authz\n\n# METADATA\n# entrypoint: true\ndefault decision := false\n\n" +
		"decision if {\n\tinput.token.active\n\tinput.request.method == \"GET\"\n%s}\n"
	testkit.WriteFiles(t, dir, map[string]string{
		"old/authz.rego": fmt.Sprintf(policy, "\t\"reader\" in input.token.roles\n"),
		"new/authz.rego": fmt.Sprintf(policy, ""),
	})
	review := exec.Command(binary, "bundle", "review", "old", "new", "--output", "review.html", "--timeout", "5s")
	review.Dir = dir
	if out, err := review.CombinedOutput(); review.ProcessState.ExitCode() != 5 {
		t.Fatalf("a change by which more is allowed is not refused: %v\n%s", err, out)
	}
	return filepath.Join(dir, "review.html")
}

// hostilePage has texts that try to become more than texts, or wider than the window.
func hostilePage(t *testing.T) string {
	t.Helper()
	d := page.Document{Title: "Hostile", Verdict: `<script>alert(1)</script> ` + strings.Repeat("wide", 300)}
	for _, text := range []string{`"></td><img src=x onerror=alert(1)>`, "a\u202eb\x1b[2J", strings.Repeat("w", 5_000),
		strings.Repeat("\u0301", 50)} {
		value := page.Code(text)
		d.Sections = append(d.Sections, page.Section{ID: fmt.Sprintf("s%d", len(d.Sections)), Title: text,
			Blocks: []page.Block{
				page.Paragraph(page.Say(text)), page.Table{Columns: []string{"a", text, "c", "d", "e"},
					Rows: [][]page.Text{{value, page.Say(text), value, value, value}}},
				page.Table{Columns: []string{"a", text}, Rows: [][]page.Text{{value, value}}},
				page.Diff{OldName: text, Old: text, NewName: text, New: "a\n" + text}, page.Source{Text: text},
				page.Card{Label: text, Title: value, Blocks: []page.Block{page.Facts{{Name: text, Value: value}}}},
				page.Delta{Gone: []string{text}, Come: []string{text}},
			}})
	}
	file := filepath.Join(t.TempDir(), "hostile.html")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := d.WriteHTML(f); err != nil {
		t.Fatal(err)
	}
	return file
}
