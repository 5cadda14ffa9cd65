package internal_test

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	code     = regexp.MustCompile("(?ms)^ *```.*?^ *```$|<!--.*?-->|`[^`\n]+`")
	pageLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	anchorID = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
	marked   = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	noSlug   = regexp.MustCompile(`[^\p{L}\p{N}\-_ ]`)
)

// pagesOf reads all pages of the repository, by their names.
func pagesOf(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules" || d.Name() == "dist" ||
			len(name) > 1 && strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, ".md") {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		pages[name] = string(text)
		return err
	})
	if err != nil || len(pages) < 20 {
		t.Fatal(len(pages), err)
	}
	return pages
}

// anchorsOf are the anchors that GitHub gives the headings of a page.
func anchorsOf(text string) map[string]bool {
	anchors := map[string]bool{}
	for _, m := range anchorID.FindAllStringSubmatch(text, -1) {
		anchors[m[1]] = true
	}
	fence := regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		words := noSlug.ReplaceAllString(strings.ToLower(marked.ReplaceAllString(m[1], "$1")), "")
		slug := strings.ReplaceAll(words, " ", "-")
		for n, first := 1, slug; anchors[slug]; n++ {
			slug = fmt.Sprintf("%s-%d", first, n)
		}
		anchors[slug] = true
	}
	return anchors
}

// underWay are pages that others link to before they are there, or that README.md does not lead to yet.
var underWay []string

// TestEveryLinkOfAPageLeadsSomewhere: files and anchors of relative links exist.
func TestEveryLinkOfAPageLeadsSomewhere(t *testing.T) {
	pages := pagesOf(t)
	linked := map[string][]string{}
	for name, text := range pages {
		for _, m := range pageLink.FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
			link, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: %q: %v", name, m[1], err)
				continue
			}
			if link.Scheme != "" || link.Host != "" {
				continue
			}
			file := name
			if link.Path != "" {
				file = path.Join(path.Dir(name), link.Path)
			}
			linked[name] = append(linked[name], file, path.Join(file, "README.md"))
			if _, err := os.Stat(path.Join("..", file)); err != nil {
				if slices.Contains(underWay, file) {
					continue
				}
				t.Errorf("%s: no file is at %s", name, m[1])
			} else if link.Fragment != "" && strings.HasSuffix(file, ".md") && !anchorsOf(pages[file])[link.Fragment] {
				t.Errorf("%s: %s has no heading #%s", name, file, link.Fragment)
			}
		}
	}
	reached := map[string]bool{"README.md": true}
	for next := []string{"README.md"}; len(next) > 0; next = next[1:] {
		for _, page := range linked[next[0]] {
			if _, is := pages[page]; is && !reached[page] {
				reached[page] = true
				next = append(next, page)
			}
		}
	}
	for name := range pages {
		if strings.HasPrefix(name, "docs/") && !reached[name] && !slices.Contains(underWay, name) {
			t.Errorf("%s is reached by no links from README.md", name)
		}
	}
}
