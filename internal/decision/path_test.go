package decision

import "testing"

func TestThePathOfALineHasNothingSecret(t *testing.T) {
	for url, want := range map[string]string{
		"/orders/42?access_token=x#y":        "/orders/42",
		"https://api.example/a/b?x=http://y": "/a/b",
		"https://user:pw@api.example":        "/",
		"https://user:pw@api.example/a":      "/a",
		"//user:pw@api.example/a":            "[redacted]/a",
		"user:pw@api.example/a":              "[redacted]/a",
		"user:pw@api.example":                "[redacted]/",
		"/users/@rita/a@b":                   "/users/@rita/a@b",
		"//a//b":                             "//a//b",
		"/a;token=x;k=v/b;c=&d=y":            "/a;token=...;k=.../b;c=&d=...",
		"/Orders(id=42)":                     "/Orders(id=42)",
		"*":                                  "*",
		"":                                   "",
	} {
		if got := pathOf(url); got != want {
			t.Errorf("%s: got %s, want %s", url, got, want)
		}
	}
}
