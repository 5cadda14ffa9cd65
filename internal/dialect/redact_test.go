package dialect

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/jsonbound"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

func TestATokenThatItsServerEchoesIsNeverAClaim(t *testing.T) {
	const token = "s3cr3t/token+with.all-of~it"
	for name, body := range map[string]string{
		"plain":           `{"active":true,"token":"` + token + `"}`,
		"escaped":         `{"active":true,"token":"s3cr3t\/token\u002bwith.all-of~it"}`,
		"within a string": `{"active":true,"note":"Bearer ` + token + ` is fine"}`,
		"nested":          `{"active":true,"a":[{"b":["` + token + `"]}]}`,
		"as a name":       `{"active":true,"` + token + `":1}`,
		"as jti":          `{"jti":"` + token + `","active":true}`,
	} {
		got := redacted(t, []byte(body), secret.New(token), nil)
		if strings.Contains(got, "s3cr3t") || !strings.Contains(got, secret.Redacted) ||
			!strings.Contains(got, `"active":true`) || !jsontext.Value(got).IsValid() {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

// redacted is what redact returns, whose members are those of jose.ReadClaims.
func redacted(t *testing.T, body []byte, tok secret.Text, names []string) string {
	t.Helper()
	raw, members := redact(body, tok, names)
	want, ok := jose.ReadClaims(raw)
	if !ok {
		want = nil
	}
	if !jsonbound.Deep(raw) && !reflect.DeepEqual(members, want) {
		t.Errorf("%s: members %s, want %s", raw, members, want)
	}
	return string(raw)
}

func TestMembersThatHoldATokenAreRedactedAtTheTopOnly(t *testing.T) {
	got := redacted(t, []byte(`{"jwt":{"a":[1]},"active":true,"x":{"jwt":"stays"},"n":1.50}`), secret.New("t0ken"),
		[]string{"jwt"})
	if want := `{"jwt":"[redacted]","active":true,"x":{"jwt":"stays"},"n":1.50}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWhatIsNotJSONIsLeftForTheReaderToRefuse(t *testing.T) {
	for _, body := range []string{"", "<html>", `{"a":1,"a":2}`, `{"a":`, "{}{}", "\xff"} {
		if f, err := New(Config{}, "").Read([]byte(body), secret.New("t0ken"), time.Unix(2000, 0)); err == nil {
			t.Errorf("%q is read as %v", body, f.Claims)
		}
	}
}

func TestATokenIsNotKeptWhereItsRedactionMakesTwoMembersOne(t *testing.T) {
	const token = "s3cr3t"
	for _, body := range []string{`{"active":true,"s3cr3t":1,"[redacted]":2}`,
		`{"active":true,"s3cr3t":1,"x":{"s3cr3ts3cr3t":1,"[redacted]s3cr3t":2}}`} {
		f, err := New(Config{}, "").Read([]byte(body), secret.New(token), time.Unix(2000, 0))
		if err == nil {
			t.Errorf("%s is read as %s", body, f.Claims.Raw)
		}
		if got := redacted(t, []byte(body), secret.New(token), nil); strings.Contains(got, token) {
			t.Errorf("%s: got %s", body, got)
		}
	}
}

func TestATokenThatItsServerEchoesInAnotherFormIsNeverAClaim(t *testing.T) {
	for name, c := range map[string][2]string{
		"a number": {"4711471147114711", `{"active":true,"id":4711471147114711}`},
		"in a query": {"s3cr3t/token+with==",
			`{"active":true,"u":"https://x/?t=s3cr3t%2Ftoken%2Bwith%3D%3D&a=1"}`},
		"in lower-case hex": {"s3cr3t/token+with==",
			`{"active":true,"u":"https://x/?t=s3cr3t%2ftoken%2bwith%3d%3d"}`},
		"in a segment":       {"s3cr3t/token+with==", `{"active":true,"u":"https://x/s3cr3t%2Ftoken+with==/"}`},
		"JSON within a text": {"s3cr3t/token+with==", `{"active":true,"log":"{\"token\":\"s3cr3t\\/token+with==\"}"}`},
	} {
		got := redacted(t, []byte(c[1]), secret.New(c[0]), nil)
		if strings.Contains(got, c[0][:6]) || !strings.Contains(got, secret.Redacted) ||
			!jsontext.Value(got).IsValid() {
			t.Errorf("%s: got %s", name, got)
		}
	}
	const other = `{"active":true,"exp":1700000000,"n":47114711471147110}`
	if got := redacted(t, []byte(other), secret.New("4711471147114711"), nil); got != other {
		t.Errorf("got %s", got)
	}
}

func FuzzTheMembersOfAnAnswerAreThoseOfItsText(f *testing.F) {
	for _, body := range []string{
		`{}`, ` { "a" : 1 , "b" : [ {} , [ ] ] , "c" : {"d":{}} } `, `{"a\ud83d":"\ud83d","a":null}`,
		`{"":"","\u0061b":0,"s3cr3t":"s3cr3t"}`, `[{"a":1}]`, `{"a":1}{"b":2}`, `{"a":1} 2`, `{"a":1,"\u0061":2}`,
		`{"jwt":{"x":[{}]}}`, "\ufeff{\"a\":true}", `{"a\ud83d":1,"a\ud83e":2}`, `"a"`, `{`, `{"a":1,"b":`,
	} {
		f.Add(body, "s3cr3t")
	}
	f.Fuzz(func(t *testing.T, body, token string) {
		redacted(t, []byte(body), secret.New(token), []string{"jwt"})
	})
}
