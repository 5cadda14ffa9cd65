package source_test

import (
	"slices"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle/source"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

func TestCheck_NamesTheKeyTheCauseAndWhatToDo(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(*source.Config)
	}{
		{"name: is empty", func(c *source.Config) { c.Name = "" }},
		{`name: "Orders!" is no name of a source`, func(c *source.Config) { c.Name = "Orders!" }},
		{"url: neither url nor path is set", func(c *source.Config) { c.URL = "" }},
		{"url: is set, and path too", func(c *source.Config) { c.Path = "." }},
		{"url: is not https", func(c *source.Config) { c.URL = "http://127.0.0.1/x" }},
		{"url: is not https, and its host is not a loopback address", func(c *source.Config) {
			c.URL, c.AllowInsecureHTTP = "http://bundles.example/x", true
		}},
		{`url: has scheme "s3"`, func(c *source.Config) { c.URL = "s3://bucket/x" }},
		{"url: is not an absolute URL", func(c *source.Config) { c.URL = "bundles.example/x" }},
		{"url: holds a user name or a password", func(c *source.Config) { c.URL = "https://a:b@bundles.example/x" }},
		{`path: "https://bundles.example" is a URL`, func(c *source.Config) {
			c.URL, c.Path = "", "https://bundles.example"
		}},
		{`path: archive or folder "gone.tar.gz" does not exist, or cannot be looked at`, func(c *source.Config) {
			c.URL, c.Path = "", "gone.tar.gz"
		}},
		{"max_age: is set, and the source is a path: no server is asked", func(c *source.Config) {
			c.URL, c.Path, c.MaxAge = "", ".", time.Hour
		}},
		{"poll.max: 1s is below poll.min, 30s", func(c *source.Config) { c.Poll.Max = time.Second }},
		{"when_stale: is set, and max_age is not: nothing is ever stale", func(c *source.Config) {
			c.WhenStale = "deny"
		}},
		{`persist: "gone" is no directory`, func(c *source.Config) { c.Persist = "gone" }},
		{"poll.wait: is set, and a registry has no long polling", func(c *source.Config) {
			c.URL, c.Poll.Wait = "oci://registry.example/orders:1", time.Minute
		}},
		{"client.secret: is set, and auth none does not use it", func(c *source.Config) {
			c.Client.Secret = secret.Source{Env: "X"}
		}},
		{"client.auth: client_secret_post is for an authorization server, and no download can carry it",
			func(c *source.Config) {
				c.Client = oauth.Client{Auth: "client_secret_post", ID: "a", Secret: secret.Source{Env: "X"}}
			}},
		{"token_endpoint: neither it nor issuer is set", func(c *source.Config) {
			c.Client.Auth, c.Client.ID, c.Client.Secret = oauth.ClientCredentials, "a", secret.Source{Env: "X"}
			c.Client.TokenAuth = oauth.ClientSecretBasic
		}},
		{"cloud.region: is empty", func(c *source.Config) { c.Cloud.Vendor, c.Cloud.Credentials = "aws", "metadata" }},
		{"cloud.vendor: gcp has no credentials for a registry", func(c *source.Config) {
			c.URL, c.Cloud.Vendor = "oci://registry.example/orders:1", "gcp"
		}},
	} {
		cfg := conf.Default[source.Config]()
		cfg.Name, cfg.URL = "orders", "https://bundles.example/orders.tar.gz"
		c.change(&cfg)
		var got []string
		conf.Check(cfg, func(key, cause, hint string) {
			got = append(got, key+": "+cause)
			if hint == "" {
				t.Errorf("%s: %s: there is no hint", key, cause)
			}
		})
		if !slices.Equal(got, []string{c.want}) {
			t.Errorf("faults %q, want %q", got, c.want)
		}
	}
}

func TestCheckAll_WantsANameOfItsOwnForEachSource(t *testing.T) {
	var got []string
	source.CheckAll([]source.Config{{Name: "a"}, {Name: "b"}, {Name: "a"}}, func(key, cause, _ string) {
		got = append(got, key+": "+cause)
	})
	if !slices.Equal(got, []string{`[2].name: "a" is the name of item 0 too`}) {
		t.Errorf("faults %q", got)
	}
}
