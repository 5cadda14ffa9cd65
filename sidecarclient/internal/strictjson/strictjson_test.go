package strictjson_test

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/sidecarclient/internal/strictjson"
)

// FuzzCheck compares with the reader of the sidecar: what that refuses is refused, but for halves of surrogate pairs,
// which encoding/json replaces; and what it takes is taken.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{``, `{}`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `[{"a":{"b":1,"b":1}}]`, `[1,]`,
		`{"a" 1}`,
		`{"a":1,}`, `1 2`, `"` + "\xff" + `"`, `{"a":01}`, `"\ud800"`, `null x`, `{"A":1,"a":2}`, `[[[[1]]]]`, `{1:2}`,
		` {"a": [true, false, null, 1.5e3, "x"]} `, "\ufeff{}", `{"a":{},"b":[]}`, `]`, `{"a":1}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		err, valid := strictjson.Check(b), jsontext.Value(b).IsValid()
		deep := strings.Count(string(b), "[")+strings.Count(string(b), "{") > 900
		surrogate := strings.Contains(strings.ToLower(string(b)), `\ud`)
		if (err == nil) != valid && !deep && !surrogate {
			t.Errorf("%q: %v, valid: %v", b, err, valid)
		}
	})
}

func TestDeepNestingIsRefused(t *testing.T) {
	if strictjson.Check([]byte(strings.Repeat("[", 2000)+strings.Repeat("]", 2000))) == nil {
		t.Error("2000 arrays were read")
	}
}

func TestAnObjectHasTheMembersOfItsExactNames(t *testing.T) {
	m, err := strictjson.Object([]byte(`{"a":1,"A":2}`))
	if err != nil || string(m["a"]) != "1" || string(m["A"]) != "2" {
		t.Errorf("%s, %v", m, err)
	}
	for _, s := range []string{`null`, `[]`, `1`, `"x"`} {
		if _, err := strictjson.Object([]byte(s)); err == nil {
			t.Errorf("%s is an object", s)
		}
	}
}
