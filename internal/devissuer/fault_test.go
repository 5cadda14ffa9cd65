package devissuer

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

func TestFaultAnswersInPlaceOfTheServer(t *testing.T) {
	s := start(t, known())
	for _, c := range []struct {
		name   string
		fault  Fault
		status int
		kind   string
	}{
		{"a page of HTML", Fault{Then: Answer, ContentType: "text/html", Body: []byte("<html>")}, 200, "text/html"},
		{"a server error", Fault{Then: Answer, Status: 503, Header: http.Header{"Retry-After": {"7"}}}, 503,
			"application/json"},
		{"JSON unless told", Fault{Then: Answer, Body: []byte(`{"active":"true"}`)}, 200, "application/json"},
	} {
		s.SetFault(func(*http.Request) *Fault { return &c.fault })
		resp, err := http.Post(s.Issuer()+"/introspect", "text/plain", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != c.status || resp.Header.Get("Content-Type") != c.kind ||
			resp.Header.Get("Retry-After") != c.fault.Header.Get("Retry-After") {
			t.Errorf("%s: %d %v", c.name, resp.StatusCode, resp.Header)
		}
	}
	if s.Calls() != 3 {
		t.Errorf("counted %d calls", s.Calls())
	}
}

func TestFaultMayLookAtTheBodyAndLetTheRequestPass(t *testing.T) {
	s := start(t, known())
	good, bad := issue(t, s, Grant{}), issue(t, s, Grant{})
	s.SetFault(func(r *http.Request) *Fault {
		if r.PostFormValue("token") == bad {
			return &Fault{Then: Answer, Status: 500, Body: []byte("{}")}
		}
		return &Fault{}
	})
	if a := call(t, "POST", s.Issuer()+"/introspect", form("token", bad), asGate); a.status != 500 {
		t.Errorf("bad: %d", a.status)
	}
	if a := introspect(t, s, good); a.json["active"] != true {
		t.Errorf("good: %d %s", a.status, a.text)
	}
	s.SetFault(nil)
	if a := introspect(t, s, bad); a.json["active"] != true {
		t.Errorf("without faults: %d %s", a.status, a.text)
	}
}

func TestFaultMayReadTheBodyToItsEnd(t *testing.T) {
	s := start(t, known())
	s.SetFault(func(r *http.Request) *Fault {
		if n, err := io.Copy(io.Discard, r.Body); err != nil || n == 0 {
			t.Errorf("read %d bytes: %v", n, err)
		}
		return nil
	})
	if a := introspect(t, s, issue(t, s, Grant{})); a.json["active"] != true {
		t.Errorf("got %d %s", a.status, a.text)
	}
}

func TestFaultCloseAnswersNothing(t *testing.T) {
	s := start(t, known())
	s.SetFault(func(*http.Request) *Fault { return &Fault{Then: Close} })
	resp, err := http.Get(s.Issuer() + "/jwks")
	if err == nil {
		_ = resp.Body.Close()
		t.Errorf("got %d", resp.StatusCode)
	}
}

func TestFaultHangEndsWhenTheClientLeaves(t *testing.T) {
	for name, fault := range map[string]*Fault{"a hang": {Then: Hang}, "a delay": {Delay: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			s := build(t, known())
			arrived, ended := make(chan struct{}), make(chan struct{})
			s.SetFault(func(*http.Request) *Fault { close(arrived); return fault })
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(ended)
				s.Handler().ServeHTTP(w, r)
			}))
			defer srv.Close()
			ctx, leave := context.WithCancel(t.Context())
			go func() { <-arrived; leave() }()
			r, err := http.NewRequestWithContext(ctx, "POST", srv.URL+"/introspect", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if resp, err := http.DefaultClient.Do(r); err == nil {
				_ = resp.Body.Close()
				t.Error("answered")
			}
			select {
			case <-ended:
			case <-time.After(5 * time.Second):
				t.Fatal("still hanging")
			}
		})
	}
}

func TestFaultDelayComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := build(t, known())
		s.SetFault(func(*http.Request) *Fault { return &Fault{Delay: time.Minute, Then: Answer} })
		begin := time.Now()
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "http://localhost/jwks", nil))
		if d := time.Since(begin); d != time.Minute || w.Code != 200 {
			t.Errorf("%d after %v", w.Code, d)
		}
	})
}
