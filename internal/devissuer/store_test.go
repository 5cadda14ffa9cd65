package devissuer

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestStoreForgetsFirstWhatWouldExpireFirst(t *testing.T) {
	cfg := known()
	cfg.MaxTokens = 3
	s := start(t, cfg)
	var tokens []string
	for _, minutes := range []int{5, 1, 4, 2, 3} {
		tokens = append(tokens, issue(t, s, Grant{TTL: time.Duration(minutes) * time.Minute}))
	}
	for i, want := range []bool{true, false, true, false, true} {
		if got := introspect(t, s, tokens[i]).json["active"]; got != want {
			t.Errorf("token %d: active is %v", i, got)
		}
	}
}

func TestStoreDropsExpiredTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := build(t, known())
		for range 50 {
			issue(t, s, Grant{TTL: time.Second})
		}
		asked := issue(t, s, Grant{TTL: 2 * time.Second})
		<-time.After(2 * time.Second)
		if got := ask(t.Context(), s, asked); got != dead {
			t.Errorf("got %s", got)
		}
		issue(t, s, Grant{})
		if len(s.tokens.byKey) != 1 || len(s.tokens.queue) != 1 {
			t.Errorf("keeps %d and %d", len(s.tokens.byKey), len(s.tokens.queue))
		}
	})
}

func TestStoreKeepsNothingOfARevokedToken(t *testing.T) {
	s := build(t, known())
	var tokens []string
	for i := range 100 {
		tokens = append(tokens, issue(t, s, Grant{TTL: time.Duration(1+i*37%100) * time.Minute}))
	}
	for _, token := range tokens {
		s.Revoke(token)
	}
	if len(s.tokens.byKey) != 0 || len(s.tokens.queue) != 0 {
		t.Errorf("keeps %d and %d", len(s.tokens.byKey), len(s.tokens.queue))
	}
}

func TestStoreHoldsNoTokens(t *testing.T) {
	s := build(t, known())
	token := issue(t, s, Grant{ClientID: "c"})
	for key, e := range s.tokens.byKey {
		if kept := fmt.Sprintf("%s %+v %s", key, *e, e.answer); strings.Contains(kept, token) {
			t.Error("a token is kept as it is")
		}
	}
}

func TestStoreRemovesAnEntryOnce(t *testing.T) {
	s := build(t, known())
	keep := issue(t, s, Grant{})
	token := issue(t, s, Grant{})
	e := s.tokens.find(digestOf(token), time.Now())
	s.tokens.remove(e)
	s.tokens.remove(e)
	if s.tokens.find(digestOf(keep), time.Now()) == nil {
		t.Error("another token went with it")
	}
}
