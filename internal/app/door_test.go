package app

import (
	"fmt"
	"strings"
	"testing"
)

// TestWhatAnUpstreamMayReadOtherwiseIsMalformed: requests that the shipped policies would allow, if they were not
// written so that another program may find another path, another header or another token in them.
func TestWhatAnUpstreamMayReadOtherwiseIsMalformed(t *testing.T) {
	w := start(t, nil)
	tok := w.token(t, good())
	ask := func(url, headers, more string) string {
		body := fmt.Sprintf(`{"request":{"method":"GET","url":"%s","headers":{"authorization":["Bearer %s"],%s}%s}}`,
			url, tok, headers, more)
		_, text, err := w.exchange(t.Context(), "POST", w.api+"/v1/decisions", body)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	const plain, tenant = "https://api.example/orders/42", `"x-tenant":["acme"]`
	for name, c := range map[string][3]string{
		"a name that ends in a blank":          {plain, tenant + `,"x-tenant ":["globex"]`},
		"a name that CGI takes for another":    {plain, tenant + `,"X_Tenant":["globex"]`},
		"a name that PHP takes for another":    {plain, tenant + `,"x.tenant":["globex"]`},
		"a name that a Turkish capital makes":  {plain, tenant + `,"author\u0130zation":["Bearer x"]`},
		"a name that a Kelvin sign makes":      {plain, tenant + `,"coo\u212aie":["a=b"]`},
		"a name that ends in a NUL":            {plain, tenant + `,"x-tenant\u0000":["globex"]`},
		"a name with a line break":             {plain, tenant + `,"x-a\r\nx-tenant":["globex"]`},
		"a name of a header of the upstream's": {plain, tenant + `,"X_Subject":["root"]`},
		"a second token behind a semicolon":    {plain + "?a=1;access_token=x", tenant},
		"a second token in another case":       {plain + "?Access_Token=x", tenant},
		"a second token as PHP reads it":       {plain + "?access.token[]=x", tenant},
		"a second token in a form": {plain,
			tenant + `,"content-type":["application/x-www-form-urlencoded"]`, `,"body":"a=1&access_token=x"`},
		"a full-width slash":                         {"https://api.example/orders/42%EF%BC%8F..", tenant},
		"a full-width slash as it is":                {"https://api.example/orders/4\uff0f2", tenant},
		"full-width dots":                            {"https://api.example/orders/%EF%BC%8E%EF%BC%8E", tenant},
		"one dot leaders":                            {"https://api.example/orders/\u2024\u2024", tenant},
		"a full-width percent sign":                  {"https://api.example/orders/4%EF%BC%852F2", tenant},
		"a percent sign before full-width digits":    {"https://api.example/orders/4%25\uff12\uff262", tenant},
		"a dot at the end":                           {"https://api.example/orders/42.", tenant},
		"a dot at the end, encoded":                  {"https://api.example/orders/42%2e", tenant},
		"a blank at the end":                         {"https://api.example/orders/42%20", tenant},
		"a dot at the end of an inner segment":       {"https://api.example/orders./42", tenant},
		"a wide blank at the end":                    {"https://api.example/orders/42%E3%80%80", tenant},
		"a control of C1":                            {"https://api.example/orders/42%C2%85", tenant},
		"a host with a zone":                         {"https://[::1%25eth0]/orders/42", tenant},
		"a host of IPv4 in brackets":                 {"https://[127.0.0.1]/orders/42", tenant},
		"a host with a user":                         {"https://api.example@evil.example/orders/42", tenant},
		"a slash that is encoded twice, as IIS does": {"https://api.example/orders/4%25u002f2", tenant},
	} {
		if got := ask(c[0], c[1], c[2]); !strings.Contains(got, `"kind":"malformed","status":400`) {
			t.Errorf("%s: %s", name, got)
		}
	}
	for name, c := range map[string][3]string{
		"as it should be":           {plain, tenant},
		"names in another case":     {plain, `"X-TENANT":["acme"]`},
		"a name with an underscore": {plain, tenant + `,"x_other":["1"]`},
		"a semicolon in a value":    {plain + "?a=1;b=2", tenant},
		"a dot within a segment":    {"https://api.example/orders/4.2", tenant},
		"letters of other languages": {
			"https://api.example/orders/%E6%97%A5%E6%9C%AC-caf%C3%A9-\u0437\u0430\u043a\u0430\u0437", tenant},
		"a host of IPv6 in its long form":  {"https://[2001:DB8:0:0::1]/orders/42", tenant},
		"a blank around the Authorization": {plain, tenant},
		"a form without a token in a body": {plain, tenant + `,"content-type":["application/x-www-form-urlencoded"]`,
			`,"body":"token=x"`},
		"a colon and an at sign in a path":  {"https://api.example/orders/a:b@c", tenant},
		"a question mark that is encoded":   {"https://api.example/orders/what%3F", tenant},
		"a percent sign of a full hundred":  {"https://api.example/orders/100%25", tenant},
		"a host with a dot at its very end": {"https://api.example./orders/42", tenant},
	} {
		if got := ask(c[0], c[1], c[2]); !strings.Contains(got, `"allow":true`) {
			t.Errorf("%s: %s", name, got)
		}
	}
}
