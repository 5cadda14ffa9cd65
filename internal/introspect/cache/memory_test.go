package cache

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// answers is a server whose answers have 1 KB, no two alike.
func answers() introspect.AskerFunc {
	reader := dialect.New(dialect.Config{Dialect: "rfc7662"}, "https://id.example/realms/acme")
	n, exp := 0, time.Now().Add(time.Hour).Unix()
	return func(_ context.Context, q introspect.Question) (introspect.Fact, error) {
		n++
		f, err := reader.Read(answerOf(n, exp), q.Token, time.Now())
		return introspect.Fact{Fact: f, Endpoint: endpoint}, err
	}
}

func answerOf(n int, exp int64) []byte {
	body := fmt.Sprintf(`{"active":true,"iss":"https://id.example/realms/acme","jti":"%032x","sub":"user-%024d",`+
		`"username":"ann%d","email":"ann%d@acme.example","sid":"%032x","client_id":"web","tenant":"acme",`+
		`"scope":"openid profile orders:read orders:write","aud":["orders","billing"],"exp":%d,"acr":"gold",`+
		`"roles":["manager","reader","writer"],"groups":["/acme/berlin","/acme/sales"],"amr":["pwd","otp"],`+
		`"token_type":"Bearer","note":"`, n, n, n, n, n, exp)
	return []byte(body + strings.Repeat("n", 1024-len(body)-2) + `"}`)
}

func TestACachedTokenOf1KBTakesLessThan4KB(t *testing.T) {
	const tokens, bound = 5000, 4 << 10
	c := open(t, answers(), func(cfg *Config) { cfg.MaxEntries, cfg.MaxBytes = 10*tokens, 1<<30 })
	ask(t, c, "first")
	before := testkit.Heap()
	for i := range tokens {
		ask(t, c, fmt.Sprint("token-", i))
	}
	took, stats := (testkit.Heap()-before)/tokens, c.Stats().Active
	estimated := stats.Bytes / int64(stats.Entries)
	t.Logf("%d bytes a token, %d by the estimate", took, estimated)
	if took > bound {
		t.Errorf("%d bytes a token, want at most %d", took, bound)
	}
	if estimated < took*9/10 || estimated > took*13/10 {
		t.Errorf("the estimate is %d bytes a token, it takes %d", estimated, took)
	}
	runtime.KeepAlive(c)
}

func TestAHitAllocatesNothing(t *testing.T) {
	c := open(t, answers(), nil)
	q := asking("token")
	testkit.WithinAllocations(t, 0, func() {
		if f, err := c.Ask(t.Context(), q); err != nil || !f.Claims.Active {
			t.Fatal(err)
		}
	})
}

func TestTheDefaultBoundsAgree(t *testing.T) {
	cfg := conf.Default[Config]()
	c := open(t, answers(), nil)
	ask(t, c, "token")
	s := c.Stats().Active
	st := newStore(cfg.MaxEntries, cfg.MaxBytes, newStoreCounts(nil, "test"))
	fit := cfg.MaxBytes / s.Bytes
	if most := int64(cfg.MaxEntries); fit < most || fit > most*12/10 {
		t.Errorf("max_bytes has room for %d answers of 1 KB, max_entries is %d", fit, most)
	}
	if n, by := st.capacity(s); n != cfg.MaxEntries || by != "max_entries" {
		t.Errorf("capacity %d by %s", n, by)
	}
	s.Bytes *= 2
	if n, by := st.capacity(s); int64(n) != fit/2 || by != "max_bytes" {
		t.Errorf("capacity %d by %s for answers twice as large", n, by)
	}
	if n, by := st.capacity(StoreStats{}); n != cfg.MaxEntries || by != "max_entries" {
		t.Errorf("capacity %d by %s of an empty store", n, by)
	}
}

func TestTheTextsOfClaimsArePartsOfTheirAnswer(t *testing.T) {
	c := claimsRead(t, `{"active":true,"iss":"https://id.example","sub":"ann","client_id":"web","scope":"a:b c:d",`+
		`"aud":["x","y"],"act":{"sub":"bob"},"sid":"s\"id","authorization_details":[{"type":"t"}],"exp":4000000000}`)
	got := pack(c).unpack()
	want := *c
	want.Fetched = time.Time{}
	if !reflect.DeepEqual(got, &want) {
		t.Errorf("claims\n%+v, want\n%+v", got, &want)
	}
	for _, s := range []string{got.Issuer, got.Subject.ID, got.ClientID, got.Scopes[1], got.Audiences[0],
		got.Actor.Subject, string(got.AuthorizationDetails[:0]) + textAt(got.AuthorizationDetails)} {
		if !inside(s, got.Raw) {
			t.Errorf("%q has memory of its own", s)
		}
	}
	if got.SessionID != `s"id` || inside(got.SessionID, got.Raw) {
		t.Errorf("a text that is escaped in the answer: %q", got.SessionID)
	}
}

// Each field of claims comes back, also one that is added one day.
func TestClaimsArePackedWithoutLoss(t *testing.T) {
	var full authz.Claims
	n := 0
	fill(t, reflect.ValueOf(&full).Elem(), &n)
	full.Raw = []byte(`{"a":"text 3","b":["text 9"]}`)
	full.Slot, full.Fetched, full.FreshFor = nil, time.Time{}, 0 // which an entry has itself
	bare := authz.Claims{Audiences: []string{}, AuthorizationDetails: []byte("[]"), Actor: &authz.Actor{},
		NotBefore: -1}
	for _, c := range []*authz.Claims{&full, &bare, {}, {Scopes: []string{"", "a", ""}, ExpiresAt: math.MaxInt64},
		{Issuer: strings.Repeat("i", 1000), Raw: []byte("i"), IssuedAt: math.MinInt64}} {
		if got := pack(c).unpack(); !reflect.DeepEqual(got, c) {
			t.Errorf("claims\n%+v, want\n%+v", got, c)
		}
	}
}

// fill gives each part of a value a value of its own.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(int64(*n) * 1_000_003)
	case reflect.Uint8:
		v.SetUint(uint64(*n))
	case reflect.String:
		v.SetString(fmt.Sprint("text ", *n))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0), n)
		fill(t, v.Index(1), n)
	case reflect.Pointer:
		if v.Type() != reflect.TypeFor[*authz.Slot]() {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem(), n)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	default:
		t.Fatalf("claims have a %v, which is not packed", v.Type())
	}
}

// inside reports whether a text is a part of raw in memory.
func inside(s string, raw []byte) bool {
	return address(s) >= address(textAt(raw)) && address(s) < address(textAt(raw))+uintptr(len(raw))
}

// TestAnAnswerOfManyTextsIsPackedInOnePass: a search for each of them takes some seconds, and one pass some
// milliseconds.
func TestAnAnswerOfManyTextsIsPackedInOnePass(t *testing.T) {
	for what, mark := range map[string]string{"plain": `/`, "escaped": `\"`} {
		const many = 20_000
		var groups strings.Builder
		for n := range many {
			fmt.Fprintf(&groups, `"%[1]sacme%[1]sdepartment-%06[2]d%[1]steam %06[2]d", `, mark, n)
		}
		c := claimsRead(t, `{"active":true,"iss":"https://id.example","exp":4000000000,"scope":"a:b c:d","groups":[`+
			groups.String()+`"last"]}`)
		begun := time.Now()
		p := pack(c)
		if took := time.Since(begun); took > time.Second {
			t.Errorf("%s: %d texts took %v", what, len(c.Groups), took)
		}
		apart := 0
		got := p.unpack()
		for _, g := range got.Groups {
			if !inside(g, got.Raw) {
				apart += len(g)
			}
		}
		if (apart == 0) != (what == "plain") || !inside(got.Scopes[1], got.Raw) {
			t.Errorf("%s: texts of %d bytes have memory of their own", what, apart)
		}
		if rest := cap(p) - len(c.Raw) - apart; rest < many || rest > many*6 {
			t.Errorf("%s: beside its texts it takes %d", what, rest)
		}
	}
}

func claimsRead(t *testing.T, answer string) *authz.Claims {
	t.Helper()
	f, err := dialect.New(dialect.Config{Dialect: "rfc7662"}, "https://id.example").Read([]byte(answer),
		asking("token").Token, time.Now())
	if err != nil || f.Keep != dialect.Active {
		t.Fatalf("%+v, %v", f, err)
	}
	return f.Claims
}
