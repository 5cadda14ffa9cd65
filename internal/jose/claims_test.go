package jose_test

import (
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jose"
)

func claimsOf(t *testing.T, raw string) jose.Claims {
	t.Helper()
	c, ok := jose.ReadClaims([]byte(raw))
	if !ok {
		t.Fatalf("%s is no object", raw)
	}
	return c
}

func TestClaimsThatAreNullAreAbsent(t *testing.T) {
	c := claimsOf(t, `{"a":null}`)
	text, errText := c.Text("a")
	name, errName := c.Name("a")
	names, errNames := c.Names("a")
	at, errTime := c.Time("a", jose.Up)
	if c.Has("a") || c.Value("a") != nil || text != "" || name != "" || names != nil || at != 0 || errText != nil ||
		errName != nil || errNames != nil || errTime != nil {
		t.Error("a member that is null is there")
	}
	if c.Object("a") != nil {
		t.Error("null is an object")
	}
	if _, ok := c.Int("a"); ok {
		t.Error("null is a number")
	}
}

func TestClaimsThatCannotBeReadAreNamedAndNotQuoted(t *testing.T) {
	c := claimsOf(t, `{"claim":{"deep":"value"},"list":["value",["value"]],"half":"value\ud83d","text":"value"}`)
	for name, read := range map[string]func(string) error{
		"text":  func(n string) error { _, err := c.Text(n); return err },
		"name":  func(n string) error { _, err := c.Name(n); return err },
		"names": func(n string) error { _, err := c.Names(n); return err },
		"time":  func(n string) error { _, err := c.Time(n, jose.Down); return err },
	} {
		for _, n := range []string{"claim", "list", "half"} {
			if err := read(n); err == nil || !strings.Contains(err.Error(), `member "`+n+`"`) ||
				strings.Contains(err.Error(), "value") {
				t.Errorf("%s %s: %v", name, n, err)
			}
		}
	}
}

func TestClaimsNamesAreTextsOrWholeNumbersInTheirDigits(t *testing.T) {
	for value, want := range map[string]string{`"u"`: "u", `42`: "42", `-7`: "-7",
		`123456789012345678901234567890`: "123456789012345678901234567890", `"\u00e9"`: "é"} {
		if got, err := claimsOf(t, `{"sub":`+value+`}`).Name("sub"); err != nil || got != want {
			t.Errorf("%s: %q, %v", value, got, err)
		}
	}
	for _, value := range []string{`4.2`, `42.0`, `1e3`, `true`, `[]`, `{}`} {
		if got, err := claimsOf(t, `{"sub":`+value+`}`).Name("sub"); err == nil {
			t.Errorf("%s: %q", value, got)
		}
	}
	if got, err := claimsOf(t, `{"aud":["a",1,null]}`).Names("aud"); err != nil ||
		!slices.Equal(got, []string{"a", "1"}) {
		t.Errorf("%q, %v", got, err)
	}
}

// FuzzClaims: a text that was read is the whole of what was said, so that two that differ never become one.
func FuzzClaims(f *testing.F) {
	for _, s := range []string{`{"sub":"a"}`, `{"sub":"a\ud83d"}`, `{"sub":"\ud83d\ude00"}`, `{"sub":42}`,
		`{"s\u0075b":"a"}`, "{\"sub\":\"\xff\"}", `{"sub":"a","sub":"b"}`, `{"a":{"b":1,"b":2}}`, `[]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, ok := jose.ReadClaims(raw)
		if !ok {
			return
		}
		for name, v := range c {
			if strings.ContainsRune(name, '�') {
				continue // two names that differ in what was replaced are refused as one that comes twice
			}
			s, err := c.Name(name)
			switch {
			case err != nil || !c.Has(name):
			case v.Kind() == '"':
				if quoted, _ := jsontext.AppendQuote(nil, s); !same(quoted, v) {
					t.Fatalf("%s: %s was read as %q", raw, v, s)
				}
			case s != string(v):
				t.Fatalf("%s: %s was read as %q", raw, v, s)
			}
		}
	})
}

// same compares two texts in their shortest spelling; one with half a character has none.
func same(a, b jsontext.Value) bool {
	a, b = a.Clone(), b.Clone()
	return a.Canonicalize() == nil && b.Canonicalize() == nil && string(a) == string(b)
}

// FuzzTime: exp and iat are never later than was said, nbf never earlier, and neither by a second or more.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"0", "-0", "1", "-1.5", "1700000000.403285", "1.688E9",
		"1700000000.9999999999999999999", "253402300799", "253402300800", "253402300799.5", "1e300",
		"-1e300", "1e-300", "1E+2",
		"9223372036854775807", "12345e-3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v := jsontext.Value(s)
		if !v.IsValid() || v.Kind() != '0' || len(s) > 40 || strings.TrimSpace(s) != s {
			return
		}
		said, ok := new(big.Float).SetPrec(4000).SetString(s)
		if !ok || said.MantExp(nil) > 2000 || said.MantExp(nil) < -2000 {
			return // exact arithmetic would take for ever
		}
		for _, r := range []jose.Rounding{jose.Down, jose.Up} {
			n, err := jose.Time(v, r)
			if err != nil {
				if said.Cmp(big.NewFloat(jose.LastSecond)) <= 0 {
					t.Fatalf("%s is refused: %v", s, err)
				}
				continue
			}
			got := new(big.Float).SetInt64(n)
			off := new(big.Float).SetPrec(4000).Sub(got, said)
			if n == -jose.LastSecond && off.Sign() >= 0 {
				continue // longer ago than anything
			}
			if r == jose.Down {
				off.Neg(off)
			}
			if off.Sign() < 0 || off.Cmp(big.NewFloat(1)) >= 0 {
				t.Fatalf("%s is read as %d", s, n)
			}
		}
	})
}
