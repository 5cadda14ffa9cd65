package native

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// agreed fails when the reader of plain calls accepts what the reader of all calls refuses, or reads as another query.
func agreed(t *testing.T, body []byte) (plain bool) {
	t.Helper()
	before := string(body)
	fast, ok := plainCall(body)
	if string(body) != before {
		t.Fatalf("%q: the body was changed", before)
	}
	if !ok {
		return false
	}
	slow, err := parseCall(body)
	if err != nil {
		t.Fatalf("%q: read, and is refused: %v", body, err)
	}
	clear(body) // as the next call does
	if fast.Token.Reveal() != slow.Token.Reveal() || fast.Token.Empty() != slow.Token.Empty() {
		t.Fatalf("%q: another token", before)
	}
	fast.Token, slow.Token = authz.Query{}.Token, authz.Query{}.Token
	if !reflect.DeepEqual(fast, slow) {
		t.Fatalf("%q: read as another query", before)
	}
	return true
}

// plainCalls are read in one pass.
var plainCalls = []string{
	string(ordinaryCall),
	`{"request":{"method":"GET","url":"/"}}`,
	" {\r\n\t\"request\" : { \"method\" : \"GET\" , \"url\" : \"/\" , \"headers\" : { } } } \n",
	`{"request":{"method":"GET","url":"/a?b=1\u0026c=2","headers":{"Accept":["*/*"],"x-a":["1","2"],"":[""]}}}`,
	`{"request":{"method":"\u0047ET","url":"/caf\u00e9/é/\ud83d\ude00"},"token":"abc"}`,
	`{"token":"a\/b","context":{"a":[1,-0.5e+3,0,true,false,null,"é\n",{}],"b":{"a":[]}},"request":{"url":"/","method":"M"}}`,
	`{"request":{"method":"GET","url":"/","headers":null,"source_ip":"::1","client_certificate":null,"body":""},"token":null,"context":null}`,
	`{"request":{"method":"POST","url":"/","body":"` + strings.Repeat("a b", 100) + `","source_ip":null},"token":"` +
		strings.Repeat("t", 300) + `"}`,
	`{"request":{"method":"GET","url":"/","headers":{"Authorization":["Bearer a"],"COOKIE":["a=b"],"cookie2":["\"x\""]}}}`,
}

// otherCalls are left to the other reader, which refuses them, or reads them.
var otherCalls = []string{
	``, ` `, `{`, `{}`, `[]`, `null`, `{"request":null}`, `{"request":{}}`, `{"request":{"method":"","url":"/"}}`,
	`{"request":{"method":"GET"}}`, `{"request":{"method":"GET","url":"/"}} x`,
	`{"request":{"method":"GET","url":"/"}`,
	`{"request":{"method":"GET","url":"/"},}`, `{"request":{"method":"GET","url":"/",}}`,
	`{"request":{"method":"GET","url":"/"},"request":{"method":"GET","url":"/"}}`,
	`{"request":{"method":"GET","url":"/","url":"/"}}`, `{"request":{"method":"GET","url":"/"},"other":1}`,
	`{"request":{"method":"GET","url":"/","other":1}}`, `{"request":{"method":"GET","url":"/"},"token":""}`,
	`{"request":{"method":"GET","url":"/"},"token":1}`, `{"request":{"method":"GET","url":"/"},"context":[]}`,
	`{"request":{"method":"GET","url":"/"},"context":"a"}`,
	`{"request":{"method":"GET","url":"/","headers":{"a":"b"}}}`,
	`{"request":{"method":"GET","url":"/","headers":{"a":["b"],"a":["c"]}}}`,
	`{"request":{"method":"GET","url":"/","headers":{"a":["b"],"A":["c"]}}}`,
	`{"request":{"method":"GET","url":"/","headers":{"a":[]}}}`,
	`{"request":{"method":"GET","url":"/","headers":{"a":null,"b":[null]}}}`,
	`{"request":{"method":"GET","url":"/` + "\xff" + `"}}`, `{"request":{"method":"GET","url":"/` + "\x01" + `"}}`,
	`{"request":{"method":"GET","url":"/\ud800"}}`, `{"request":{"method":"GET","url":"/\x"}}`,
	`{"request":{"method":"GET","url":"/\`, `{"req\u0075est":{"method":"GET","url":"/"}}`,
	`{"request":{"method":"GET","url":"/"},"context":{"a":1,"a":2}}`,
	`{"request":{"method":"GET","url":"/"},"context":{"a":01}}`,
	`{"request":{"method":"GET","url":"/"},"context":{"a":1.}}`,
	`{"request":{"method":"GET","url":"/"},"context":{"a":1eE5}}`,
	`{"request":{"method":"GET","url":"/"},"context":{"a":-}}`,
	`{"request":{"method":"GET","url":"/"},"context":{"a":1e99999}}`,
	`{"request":{"method":"GET","url":"/"},"context":{"a":"\ud800"}}`,
	`{"request":{"method":"GET","url":"/"},"context":{"a":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}}`,
	`{"request":{"method":"GET","url":"/"},"context":{"a":tru}}`, `{"request":{"method":"GET","url":"/"},"context":{`,
	"\xef\xbb\xbf" + `{"request":{"method":"GET","url":"/"}}`,
}

func TestThePlainReaderAgreesWithTheOther(t *testing.T) {
	for _, body := range plainCalls {
		if !agreed(t, []byte(body)) {
			t.Errorf("%q is not read in one pass", body)
		}
	}
	for _, body := range otherCalls {
		if agreed(t, []byte(body)) {
			t.Errorf("%q is read in one pass", body)
		}
	}
}

func TestThePlainReaderAgreesAboutManyHeaders(t *testing.T) {
	for n := range 2 * mostFields {
		headers := map[string][]string{}
		for i := range n {
			headers[fmt.Sprintf("X-%d", i)] = []string{"a"}
		}
		text, _ := json.Marshal(headers)
		body := `{"request":{"method":"GET","url":"/","headers":` + string(text) + `}}`
		if agreed(t, []byte(body)) != (n <= mostFields) {
			t.Errorf("%d headers", n)
		}
	}
}

// TestThePlainReaderAgreesAboutDamage: calls with some bytes of others in them.
func TestThePlainReaderAgreesAboutDamage(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	all := append(append([]string{}, plainCalls...), otherCalls...)
	plain := 0
	for range 50_000 {
		body := []byte(all[random.IntN(len(all))])
		for range random.IntN(4) {
			from := all[random.IntN(len(all))]
			a, b := random.IntN(len(from)+1), random.IntN(len(from)+1)
			at, to := random.IntN(len(body)+1), random.IntN(len(body)+1)
			if random.IntN(2) == 0 { // short ones keep more of the structure
				b, to = min(a+random.IntN(6), len(from)), min(at+random.IntN(6), len(body))
			}
			body = []byte(string(body[:min(at, to)]) + from[min(a, b):max(a, b)] + string(body[max(at, to):]))
		}
		if agreed(t, body) {
			plain++
		}
	}
	if plain < 1000 {
		t.Errorf("only %d calls were read in one pass", plain)
	}
}

// FuzzPlainCall: what the reader of plain calls accepts, the other accepts as the same query.
func FuzzPlainCall(f *testing.F) {
	for _, body := range append(append([]string{}, plainCalls...), otherCalls...) {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) { agreed(t, body) })
}
