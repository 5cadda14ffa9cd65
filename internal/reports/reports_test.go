package reports_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/change"
	"github.com/authz-sidecar/sidecar/internal/page"
	"github.com/authz-sidecar/sidecar/internal/replay"
	"github.com/authz-sidecar/sidecar/internal/reports"
	"github.com/authz-sidecar/sidecar/internal/testkit/sariflog"
)

var update = flag.Bool("update", false, "write golden files")

// written are the forms of a document.
func written(t *testing.T, d page.Document) (html, markdown []byte) {
	t.Helper()
	var h, m bytes.Buffer
	if err := errors.Join(d.WriteHTML(&h), d.WriteMarkdown(&m, page.CommentLimit)); err != nil {
		t.Fatal(err)
	}
	return h.Bytes(), m.Bytes()
}

func sarifOf(t *testing.T, c *change.Change) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := reports.WriteSARIF(&b, c, "1.4.0"); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReportsAreTheGoldenOnes(t *testing.T) {
	files := map[string][]byte{"review.sarif": sarifOf(t, widened())}
	files["review.html"], files["review.md"] = written(t, reports.Review(withReplay()))
	files["replay.html"], files["replay.md"] = written(t, reports.Replay(flipped()))
	for name, got := range files {
		name = filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(name, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs: go test ./internal/reports -update writes it, then read the difference", name)
		}
	}
}

func withReplay() *change.Change {
	c := widened()
	c.Replay = flipped()
	return c
}

func TestSARIFIsValidAndNamesTheNewFiles(t *testing.T) {
	log := sarifOf(t, widened())
	if broken := sariflog.Invalid(t, log); len(broken) > 0 {
		t.Error(broken)
	}
	for _, want := range []string{`"ruleId": "wider"`, `"ruleId": "network"`, `"ruleId": "deny-removed"`,
		`"ruleId": "test-broken"`, `"ruleId": "reads-input"`, `"ruleId": "data-changed"`, `"uri": "orders/authz.rego"`,
		`"sidecarFinding/v1": "wider-3f1c22a9b8d0"`, `"justification": "reviewed: check-789789789789"`,
		`was at orders/authz.rego:52`} {
		if !bytes.Contains(log, []byte(want)) {
			t.Errorf("the log has no %s", want)
		}
	}
}

func TestTheFirstScreenHasTheVerdictAndAllFindings(t *testing.T) {
	html, markdown := written(t, reports.Review(widened()))
	_, after, _ := strings.Cut(string(html), "<main>")
	head, _, _ := strings.Cut(strings.ReplaceAll(after, "<wbr>", ""), "<section")
	for _, f := range widened().Findings {
		if f.Level == change.Plain {
			continue // it is folded
		}
		if !strings.Contains(head, strings.NewReplacer(`"`, "&#34;", "+", "&#43;").Replace(f.Title)) {
			t.Errorf("the first screen has no %s", f.Title)
		}
	}
	for _, want := range []string{"<h1>Requests that were denied would be allowed (3 methods and paths)</h1>",
		"orders-team-2026",
		`<li class="bad"><a href="#findings"><b>2</b> wider</a></li>`} {
		if !strings.Contains(string(html), want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if !bytes.HasPrefix(markdown, []byte("## Requests that were denied would be allowed (3 methods and paths)\n")) {
		t.Errorf("got %.100s", markdown)
	}
}

func TestAReportEndsWithWhatItDescribesAndItsOwnDigest(t *testing.T) {
	c := widened()
	html, markdown := written(t, reports.Review(c))
	for _, text := range []string{string(html[bytes.Index(html, []byte("<footer")):]),
		string(markdown[bytes.LastIndex(markdown, []byte("---")):])} {
		for _, digest := range []string{c.New.Digest, c.Digest} {
			if !strings.Contains(text, digest) {
				t.Errorf("no %s in\n%s", digest, text)
			}
		}
	}
}

func TestVerdictsSayTheOutcome(t *testing.T) {
	for outcome, want := range map[change.Outcome]string{
		change.Unloadable: "1 problem keeps the new version from compiling",
		change.Wider:      "Requests that were denied would be allowed",
		change.Failing:    "2 tests fail with the new version",
		change.Differs:    "The versions differ in meaning, and no request was found that is newly allowed",
		change.Same:       "The versions differ at most in format, comments and places of rules",
	} {
		c := &change.Change{Outcome: outcome, Tests: &change.Tests{Broken: make([]change.Test, 2)},
			New: change.Version{Problems: make([]change.Problem, 1)}}
		if got := reports.Review(c).Verdict; got != want {
			t.Errorf("%s: got %q, want %q", outcome, got, want)
		}
		written(t, reports.Review(c))
	}
	if got := reports.Replay(calm()).Verdict; got != "All 9,639 decisions are the same" {
		t.Errorf("got %q", got)
	}
	if got := reports.Replay(&replay.Report{}).Verdict; got != "No recorded decision was made anew" {
		t.Errorf("got %q", got)
	}
}

// TestTextsOfOutsidersBecomeTextWhereverTheyAre puts one into every text of both reports.
func TestTextsOfOutsidersBecomeTextWhereverTheyAre(t *testing.T) {
	known := map[string]bool{}
	for _, text := range []string{"plain/text", `"></td><img src=x onerror=alert(1)><script>x</script>`,
		"`|` @team\n\n# h\n\n<details>\u202e\x1b[2J", strings.Repeat("</pre><b>", 12_000)} {
		c, r := &change.Change{}, &replay.Report{}
		fill(reflect.ValueOf(c).Elem(), text, 0)
		fill(reflect.ValueOf(r).Elem(), text, 0)
		c.Outcome = change.Wider
		for i := range c.Findings {
			c.Findings[i].Level = change.Grave
		}
		for name, d := range map[string]page.Document{"review": reports.Review(c), "replay": reports.Replay(r)} {
			html, markdown := written(t, d)
			for _, tag := range tags(t, html) {
				if text == "plain/text" {
					known[tag] = true
				} else if !known[tag] {
					t.Errorf("%s of %.20q has an element %s", name, text, tag)
				}
			}
			if n := len([]rune(string(markdown))); n > page.CommentLimit {
				t.Errorf("%s of %.20q: %d characters", name, text, n)
			}
		}
		if broken := sariflog.Invalid(t, sarifOf(t, c)); len(broken) > 0 {
			t.Errorf("%.20q: %v", text, broken)
		}
	}
}

// tags are the elements of a page, whose tags must be balanced.
func tags(t *testing.T, html []byte) (out []string) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(html))
	d.Strict, d.AutoClose, d.Entity = false, append(xml.HTMLAutoClose, "wbr"), xml.HTMLEntity
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && !slices.Contains(out, e.Name.Local) {
			out = append(out, e.Name.Local)
		}
	}
}

// fill sets every text of a value, with two elements in each list.
func fill(v reflect.Value, text string, depth int) {
	if depth > 10 { // alternatives are within conditions, which are within alternatives
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text, depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), text, depth+1)
			}
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[jsontext.Value]() {
			raw, _ := jsontext.AppendQuote(nil, text)
			v.Set(reflect.ValueOf(jsontext.Value(`{"request":{"method":` + string(raw) + `,"headers":{` + string(raw) +
				`:[` + string(raw) + `]}},"token":{` + string(raw) + `:` + string(raw) + `}}`)))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), text, depth+1)
		}
	case reflect.String:
		v.SetString(text)
	case reflect.Int:
		v.SetInt(2)
	default:
	}
}
