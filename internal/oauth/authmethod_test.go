package oauth_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/oauth"
)

func TestEveryMethodOfTheTableIsTested(t *testing.T) {
	want := append(slices.Collect(maps.Keys(methods(t))), oauth.ClientCredentials)
	if got := (oauth.Client{}).Words("auth"); !slices.Equal(slices.Sorted(slices.Values(got)),
		slices.Sorted(slices.Values(want))) {
		t.Errorf("the table has %q, the tests have %q", got, want)
	}
}

func TestWhatAMethodIsAskedByOthers(t *testing.T) {
	type answers struct {
		canGetToken, authenticates, needsForm, showsToken, showsCertificate, signsAssertions,
		registered bool
	}
	secretInHeader := answers{canGetToken: true, authenticates: true, registered: true}
	certificate := answers{canGetToken: true, authenticates: true, needsForm: true, showsCertificate: true,
		registered: true}
	assertion := answers{canGetToken: true, authenticates: true, needsForm: true, signsAssertions: true,
		registered: true}
	want := map[string]answers{
		"": secretInHeader, "client_secret_basic": secretInHeader,
		"client_secret_post": {canGetToken: true, authenticates: true, needsForm: true, registered: true},
		"client_secret_jwt":  assertion, "private_key_jwt": assertion,
		"tls_client_auth": certificate, "self_signed_tls_client_auth": certificate,
		"bearer":             {authenticates: true, showsToken: true},
		"client_credentials": {canGetToken: true, authenticates: true, showsToken: true},
		"client_credentials private_key_jwt": {
			canGetToken: true, authenticates: true, showsToken: true, signsAssertions: true,
		},
		"client_credentials tls_client_auth": {
			canGetToken: true, authenticates: true, showsToken: true, showsCertificate: true,
		},
		"none": {},
	}
	for method, w := range want {
		c := withMethod(oauth.Client{}, method)
		got := answers{
			c.CanGetToken(), c.Authenticates(), c.NeedsForm(), c.ShowsToken(), c.ShowsCertificate(),
			c.SignsAssertions(),
			!c.SupportedBy(nil),
		}
		if got != w {
			t.Errorf("%q: %+v, want %+v", method, got, w)
		}
	}
	if c := (oauth.Client{Auth: "client_secret_post"}); !c.SupportedBy([]string{"client_secret_post"}) {
		t.Error("a method that the metadata lists is called unsupported")
	}
}

func TestTokenAuthHasTheMethodsOfTokenEndpoints(t *testing.T) {
	want := []string{
		"client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "tls_client_auth",
		"self_signed_tls_client_auth",
	}
	if got := (oauth.Client{}).Words("token_auth"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
