package yamlnode

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// value reads the JSON value of a document.
func value(raw []byte) (any, *Error) {
	n, err := Parse(raw)
	if n == nil || err != nil {
		return nil, err
	}
	return n.JSON()
}

func TestErrorsHaveAPosition(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"mapping inside a line": {"a: 1\nb: 2\n  c: 3\n", "3:3: mapping values are not allowed in this context"},
		"wrong indentation":     {"a:\n  b: 1\n  c: 2\n d: 3\n", "4:2: did not find expected key"},
		"open bracket":          {"a: 1\nb: [1,\n  2\n", "3:3: did not find expected ',' or ']'"},
		"tab":                   {"a:\n\tb: 1\n", "2:2: a tab indents this line, and YAML takes blanks only"},
		"first line":            {"a: 'x\n", "1:1: found unexpected end of stream"},
		"duplicate key":         {"a:\n  b: 1\n  c: 1\n  b: 2\n", "4:3: duplicate key \"b\", first on line 2"},
		"key that is a number":  {"a:\n  404: x\n", "2:3: the key is not a string: put it in quotes"},
		"key that is a list":    {"? [a]\n: x\n", "1:3: the key is not a string: put it in quotes"},
		"merge key": {"a: &a {x: 1}\nb:\n  <<: *a\n",
			"3:3: merge keys are not read: write the members out"},
		"infinity": {"a: [.inf]", "1:5: is not a number that JSON has"},
		"number too large": {"a:\n  b: !!float 1e999999999",
			"2:6: is a number with an exponent, or a count of digits, over 10000"},
		"binary":                {"a: !!binary aGk=", "1:4: the tag !!binary is not known"},
		"tag on a scalar":       {"a: !x y", "1:4: the tag !x is not known"},
		"tag on a list":         {"a: !x [y]", "1:4: the tag !x is not known"},
		"tag on a mapping":      {"a: !x {y: z}", "1:4: the tag !x is not known"},
		"text called null":      {"a: !!null x", "1:4: is not null"},
		"text called a number":  {"a: !!int x", "1:4: is not a number"},
		"text called a boolean": {"a: !!bool x", "1:4: is not a boolean"},
		"two documents":         {"a: 1\n---\nb: 2\n", "2:1: only one document in a file is read"},
		"broken second":         {"a: 1\n---\nb: [\n", "3:1: did not find expected node content"},
		"alias without anchor":  {"a: *secret\n", "1:1: an alias has no anchor"},
		"alias inside itself":   {"a: &a [*a]\n", "1:8: values are nested more than 256 levels deep"},
		"invalid UTF-8":         {"a: 1\nb: \xff\n", "2:4: invalid UTF-8 or a control character: save it as UTF-8"},
		"control character":     {"a: \x01", "1:4: invalid UTF-8 or a control character: save it as UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := value([]byte(c.text)); err == nil || err.Error() != c.want {
				t.Errorf("error is %v, want %s", err, c.want)
			}
		})
	}
}

func TestAliasesCannotMultiplyWithoutEnd(t *testing.T) {
	text := "a0: &a0 x\n"
	for i := 1; i < 10; i++ {
		text += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,",
			i-1), 10), ","))
	}
	if _, err := Parse([]byte(text)); err == nil || err.Message != "aliases stand for more than 100000 values" {
		t.Errorf("error is %v", err)
	}
}

func TestYAMLIsReadAsTheJSONItStandsFor(t *testing.T) {
	const text = `
text: plain
quoted: "5"
yes: yes
date: 2026-01-02
dated: !!timestamp 2026-01-02
whole: 12345678901234567890123
fraction: 1.50
hex: 0x1F
spaced: 1_000
big: 0xffffffffffffffff
signed: +1
short: .5
truth: true
none: ~
nothing:
anchor: &a [1]
alias: *a
merge: <<
`
	got, err := value([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	one := []any{json.Number("1")}
	want := map[string]any{
		"text": "plain", "quoted": "5", "yes": "yes", "date": "2026-01-02", "dated": "2026-01-02",
		"whole": json.Number("12345678901234567890123"), "fraction": json.Number("1.50"), "hex": json.Number("31"),
		"spaced": json.Number("1000"), "big": json.Number("18446744073709551615"), "signed": json.Number("1"),
		"short": json.Number("0.5"), "truth": true, "none": nil, "nothing": nil, "anchor": one, "alias": one,
		"merge": "<<",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v", got)
	}
}

func TestANumberThatBeginsWithZeroIsAnError(t *testing.T) {
	const want = "2:3: a number that begins with 0 is read as octal (010 is 8): quote it where it is a text, " +
		"write 0o10 where octal is meant"
	for _, number := range []string{"01067", "010115", "-007", "0_7"} {
		if _, err := value([]byte("codes:\n- " + number + "\n")); err == nil || err.Error() != want {
			t.Errorf("%s: error is %v", number, err)
		}
	}
	if _, err := value([]byte("codes: [\"01067\", 0o17, 0, 0x1F, 0.5, 1_000]\n")); err != nil {
		t.Error(err)
	}
}

func TestADocumentWithoutAValueIsEmpty(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "\uFEFF"} {
		if n, err := Parse([]byte(text)); n != nil || err != nil {
			t.Errorf("%q: node %v, error %v", text, n, err)
		}
	}
}

func TestTheFirstOfTwoDocumentsIsReturnedWithTheError(t *testing.T) {
	if n, err := Parse([]byte("a: 1\n---\nb: 2\n")); err == nil || n == nil || n.Members[0].Key.Text != "a" {
		t.Errorf("node %v, error %v", n, err)
	}
}

func TestAnAliasIsWhereItIsUsed(t *testing.T) {
	n, err := Parse([]byte("a: &a {x: [1]}\n\nb: *a\n"))
	if err != nil {
		t.Fatal(err)
	}
	b := n.Members[1].Value
	if x := b.Members[0]; b.Kind != Mapping || b.Line != 3 || x.Key.Line != 3 || x.Value.Items[0].Column != 4 ||
		x.Value.Items[0].Text != "1" {
		t.Errorf("the alias is %+v", b)
	}
}

func TestKindsInWords(t *testing.T) {
	n, err := Parse([]byte("[a, '5', 5, .5, true, ~, 2026-01-02, [], {}, !x y, !x {}, <<]"))
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, item := range n.Items {
		words = append(words, item.Kind.String())
	}
	const want = "text, text, a number, a number, true or false, nothing, a date, a list, a mapping, " +
		"a value with a tag of its own, a value with a tag of its own, text"
	if got := strings.Join(words, ", "); got != want {
		t.Errorf("kinds are %s", got)
	}
}

func FuzzYAML(f *testing.F) {
	f.Add([]byte("a: &x [1, 0x1F, .5, ~]\nb: *x\nc: !!str 5\n"))
	f.Add([]byte("a:\n  - b\n - c"))
	f.Add([]byte("a: !!float 1_0.5\n? b\n: |\n  text\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, bad := value(raw)
		if bad != nil {
			if bad.Line < 1 || bad.Column < 1 || bad.Message == "" {
				t.Errorf("error without a position: %+v", bad)
			}
			return
		}
		if !testkit.IsJSON(v) {
			t.Errorf("%q has a value of another type: %#v", raw, v)
		}
		if _, err := json.Marshal(v); err != nil {
			t.Errorf("%q does not marshal: %v", raw, err)
		}
	})
}
