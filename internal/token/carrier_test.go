package token

import "testing"

func TestATokenHasOnePlaceWithAName(t *testing.T) {
	for c, want := range map[Carrier]string{
		{}: "", {Header: "x-forwarded-access-token"}: "", {Cookie: "access_token"}: "",
		{Header: "a", Cookie: "b"}: "cookie", {Header: "x y"}: "header", {Header: "authorization"}: "",
		{Header: "Cookie"}: "header", {Cookie: "a=b"}: "cookie", {Cookie: "a;b"}: "cookie",
	} {
		got := ""
		c.Check(func(key, _, _ string) { got += key })
		if got != want {
			t.Errorf("%+v: fault of %q, want %q", c, got, want)
		}
	}
}
