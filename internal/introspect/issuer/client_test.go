package issuer

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// seen is what a server saw of one request.
type seen struct {
	request *http.Request
	body    string
	form    url.Values
}

// observed asks once and returns what arrived.
func observed(t *testing.T, change func(*Config)) seen {
	t.Helper()
	got := make(chan seen, 1)
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(b))
		got <- seen{r, string(b), form}
		testkit.ReplyJSON(`{"active":true}`)(w, r)
	})
	i, _ := open(t, u.URL+"/introspect", change)
	ask(t, i)
	return <-got
}

func TestINT1_AsksByPostedForm(t *testing.T) {
	s := observed(t, nil)
	if s.request.Method != http.MethodPost ||
		s.request.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		t.Errorf("%s %s", s.request.Method, s.request.Header.Get("Content-Type"))
	}
	if s.form.Get("token") != testToken || s.form.Get("token_type_hint") != "access_token" || len(s.form) != 2 {
		t.Errorf("form %v", s.form)
	}
}

func TestINT2_AcceptsJSONOnly(t *testing.T) {
	if got := observed(t, nil).request.Header.Values("Accept"); len(got) != 1 || got[0] != "application/json" {
		t.Errorf("Accept %q", got)
	}
}

func TestINT5_TheTokenIsNotInTheURL(t *testing.T) {
	if got := observed(t, nil).request.URL.String(); got != "/introspect" {
		t.Errorf("URL %q", got)
	}
}

func TestAKeptConnectionThatTheServerClosedIsNoFailure(t *testing.T) {
	u := serve(t, testkit.ReplyJSON(`{"active":true}`))
	i, _ := open(t, u.URL, func(c *Config) { c.Cache.TTL = 0 })
	for range 20 {
		ask(t, i)
		u.CloseClientConnections()
	}
}

func TestAskShowsTheAnswerAsItCame(t *testing.T) {
	u := serve(t, testkit.Reply(http.StatusUnauthorized, "application/json", `{"error":"invalid_client"}`))
	i, _ := open(t, u.URL+"/x", nil)
	a, err := i.Ask(t.Context(), secret.New(testToken))
	if authz.KindOf(err) != authz.Misconfigured || !strings.Contains(err.Error(), "invalid_client") {
		t.Errorf("error %v", err)
	}
	if a.Endpoint != u.URL+"/x" || a.Status != 401 || a.ContentType != "application/json" ||
		string(a.Body) != `{"error":"invalid_client"}` || a.Claims != nil {
		t.Errorf("answer %+v", a)
	}
}

func TestAskGoesPastTheCache(t *testing.T) {
	u := serve(t, testkit.ReplyJSON(`{"active":true,"sub":"a"}`))
	i, _ := open(t, u.URL, nil)
	ask(t, i)
	a, err := i.Ask(t.Context(), secret.New(testToken))
	if err != nil || a.Claims == nil || a.Claims.Subject.ID != "a" {
		t.Fatalf("answer %+v, %v", a, err)
	}
	if u.calls.Load() != 2 {
		t.Errorf("%d calls", u.calls.Load())
	}
}

func TestRefusedPrefixesAreNotAsked(t *testing.T) {
	u := serve(t, testkit.ReplyJSON(`{"active":true}`))
	i, _ := open(t, u.URL, func(c *Config) { c.Dialect.RefusedPrefixes = []string{"ory_rt_"} })
	c, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New("ory_rt_abc")})
	if err != nil || c.Active || c.Usable(time.Now()).OK() {
		t.Errorf("claims %+v, %v", c, err)
	}
	if u.calls.Load() != 0 {
		t.Error("asked")
	}
}

func TestINT12_EmptyAndHugeTokensAreNotAsked(t *testing.T) {
	u := serve(t, testkit.ReplyJSON(`{"active":true}`))
	i, _ := open(t, u.URL, nil)
	for _, tok := range []string{"", strings.Repeat("a", 1<<20)} {
		c, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New(tok)})
		if err != nil || c.Active || c.Inactive.Text == "" {
			t.Errorf("claims %+v, %v", c, err)
		}
	}
	if u.calls.Load() != 0 {
		t.Error("asked")
	}
}
