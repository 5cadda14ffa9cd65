package oauth

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func FuzzTheTokenOfAnyAnswerFitsIntoAHeaderAndEnds(f *testing.F) {
	for _, s := range []string{
		`{"access_token":"a","token_type":"Bearer","expires_in":3600}`,
		`{"access_token":"a","token_type":"bearer","expires_in":"1e400"}`,
		`{"access_token":"a b","token_type":"Bearer"}`, `{"access_token":"a","token_type":"Bearer","expires_in":-1}`,
		`{"access_token":"a","token_type":"Bearer","expires_in":"NaN"}`,
		`{"access_token":"a","token_type":"Bearer","expires_in":{}}`, `{}`, `null`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		token, life, err := readToken(Reply{Status: 200, Header: http.Header{"Content-Type": {"application/json"}},
			Body: []byte(body)})
		if err != nil {
			if !token.Empty() || life != 0 {
				t.Error("a token beside an error")
			}
			return
		}
		if token.Empty() || strings.ContainsAny(token.Reveal(), " \r\n\t\x00") || life < time.Second ||
			life > 24*time.Hour {
			t.Errorf("%q for %v", token.Reveal(), life)
		}
	})
}
