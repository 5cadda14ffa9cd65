package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/fetch"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// directory is an authorization server with metadata: documents by path, and an introspection endpoint at /introspect.
func directory(t *testing.T, documents func(base string) map[string]string) (*upstream, *diary) {
	t.Helper()
	asked := &diary{}
	var u *upstream
	u = serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.note(r.Method + " " + r.URL.Path)
		if doc, ok := documents(u.URL)[r.URL.Path]; ok {
			testkit.ReplyJSON(doc)(w, r)
		} else if r.URL.Path == "/introspect" {
			testkit.ReplyJSON(`{"active":true}`)(w, r)
		} else {
			http.NotFound(w, r)
		}
	})
	return u, asked
}

// diary is what a server was asked, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.lines)
}

func metadata(issuer, endpoint string) string {
	return fmt.Sprintf(`{"issuer":%q,"introspection_endpoint":%q,"jwks_uri":"x"}`, issuer, endpoint)
}

func discovering(issuer string) func(*Config) {
	return func(c *Config) { c.Endpoint.Issuer, c.Endpoint.IntrospectionEndpoint = issuer, "" }
}

func TestMD1_TheNameIsInsertedBeforeThePath(t *testing.T) {
	u, asked := directory(t, func(base string) map[string]string {
		return map[string]string{"/.well-known/oauth-authorization-server/realms/a": metadata(base+"/realms/a",
			base+"/introspect")}
	})
	i, _ := open(t, "", discovering(u.URL+"/realms/a"))
	ask(t, i)
	if want := []string{"GET /.well-known/oauth-authorization-server/realms/a",
		"POST /introspect"}; !slices.Equal(asked.read(), want) {
		t.Errorf("asked %q", asked.read())
	}
}

func TestMD1_ThenAppendedAsOpenIDConnectHasIt(t *testing.T) {
	u, asked := directory(t, func(base string) map[string]string {
		return map[string]string{"/realms/a/.well-known/openid-configuration": metadata(base+"/realms/a",
			base+"/introspect")}
	})
	i, _ := open(t, "", discovering(u.URL+"/realms/a"))
	ask(t, i)
	if got := asked.read(); len(got) != 3 || got[1] != "GET /realms/a/.well-known/openid-configuration" {
		t.Errorf("asked %q", asked.read())
	}
}

func TestMD1_ATrailingSlashOfTheIssuerIsDroppedFromTheURLOnly(t *testing.T) {
	u, _ := directory(t, func(base string) map[string]string {
		return map[string]string{"/.well-known/openid-configuration": metadata(base+"/", base+"/introspect")}
	})
	i, _ := open(t, "", discovering(u.URL+"/"))
	if !ask(t, i).Active {
		t.Error("not active")
	}
}

func TestDocumentsThatMayNotBeUsed(t *testing.T) {
	const path = "/.well-known/oauth-authorization-server"
	for _, c := range []struct {
		name string
		doc  func(base string) string
		want authz.Kind
		says string
	}{
		{"MD-2: a slash makes another issuer", func(b string) string { return metadata(b+"/", b+"/introspect") },
			authz.Misconfigured, "another issuer"},
		{"MD-2: another issuer", func(b string) string { return metadata("https://evil.example", b+"/introspect") },
			authz.Misconfigured, `it names "https://evil.example", configured is "http://127.0.0.1:`},
		{"MD-2: an issuer that is no text", func(b string) string {
			return `{"issuer":["` + b + `"],"introspection_endpoint":"` + b + `/introspect"}`
		}, authz.Unavailable, `member "issuer"`},
		{"MD-3: an endpoint that is no text", func(b string) string {
			return `{"issuer":"` + b + `","introspection_endpoint":["` + b + `/introspect"]}`
		}, authz.Misconfigured, "names no introspection_endpoint"},
		{"MD-2: no issuer", func(b string) string { return `{"introspection_endpoint":"` + b + `/introspect"}` },
			authz.Misconfigured, "another issuer"},
		{"MD-3: no endpoint", func(b string) string { return `{"issuer":"` + b + `"}` }, authz.Misconfigured,
			"names no introspection_endpoint"},
		{"MD-4: plain http to another host",
			func(b string) string {
				return metadata(b,
					"http://as.example/introspect")
			}, authz.Misconfigured, "not https"},
		{"MD-4: another host", func(b string) string { return metadata(b, "https://evil.example/introspect") },
			authz.Misconfigured, "endpoint_hosts"},
		{"MD-4: another port", func(b string) string { return metadata(b, "http://127.0.0.1:1/introspect") },
			authz.Misconfigured, "endpoint_hosts"},
		{"MD-4: a relative URL", func(b string) string { return metadata(b, "/introspect") }, authz.Misconfigured,
			"absolute"},
		{"MD-4: credentials in the URL",
			func(b string) string {
				return metadata(b,
					"https://u:p@as.example/introspect")
			}, authz.Misconfigured, "user name"},
		{"an endless URL", func(b string) string { return metadata(b, "https://"+strings.Repeat("a", 4096)) },
			authz.Misconfigured, "over 2048 bytes"},
		{"no JSON", func(string) string { return "<html>" }, authz.Unavailable, "no valid metadata"},
		{"duplicate members", func(b string) string { return `{"issuer":"x",` + metadata(b, b+"/introspect")[1:] },
			authz.Unavailable, "no valid metadata"},
		{"over the limit", func(b string) string { return `{"x":"` + strings.Repeat("a", 2<<20) + `"}` },
			authz.Unavailable, "no JSON document"},
	} {
		t.Run(c.name, func(t *testing.T) {
			u, asked := directory(t,
				func(base string) map[string]string { return map[string]string{path: c.doc(base)} })
			i, _ := open(t, "", discovering(u.URL))
			if e := refusal(t, i, c.want); !strings.Contains(e.Error(), c.says) {
				t.Errorf("cause %q", e)
			}
			if slices.Contains(asked.read(), "POST /introspect") {
				t.Error("the token was sent")
			}
		})
	}
}

// TestWhatIsOddBesideTheEndpointsIsNotLookedAt: a byte order mark, null, and half a character in what is for people.
func TestWhatIsOddBesideTheEndpointsIsNotLookedAt(t *testing.T) {
	u, _ := directory(t, func(base string) map[string]string {
		return map[string]string{"/.well-known/oauth-authorization-server": "\ufeff" +
			`{"op_policy":"a \ud83d","token_endpoint":null,"mtls_endpoint_aliases":null,` +
			metadata(base, base+"/introspect")[1:]}
	})
	i, _ := open(t, "", discovering(u.URL))
	if !ask(t, i).Active {
		t.Error("not active")
	}
}

func TestMD4_EndpointHostsPermitAnotherHost(t *testing.T) {
	as := serve(t, testkit.ReplyJSON(`{"active":true}`))
	u, _ := directory(t, func(base string) map[string]string {
		return map[string]string{"/.well-known/oauth-authorization-server": metadata(base, as.URL+"/introspect")}
	})
	i, _ := open(t, "", func(c *Config) {
		discovering(u.URL)(c)
		c.Endpoint.EndpointHosts = []string{strings.TrimPrefix(as.URL, "http://")}
	})
	if !ask(t, i).Active || as.calls.Load() != 1 {
		t.Error("not asked there")
	}
}

func TestMD5_NoMetadataAnywhereIsMisconfigured(t *testing.T) {
	u, _ := directory(t, func(string) map[string]string { return nil })
	i, _ := open(t, "", discovering(u.URL))
	refusal(t, i, authz.Misconfigured)
}

func TestMD5_ServersThatAreDownAreUnavailable(t *testing.T) {
	for _, status := range []int{408, 425, 429, 500, 503} {
		u := serve(t, testkit.Reply(status, "", ""))
		i, _ := open(t, "", discovering(u.URL))
		refusal(t, i, authz.Unavailable)
	}
}

func TestMD5_AConfiguredEndpointNeedsNoDiscovery(t *testing.T) {
	u, asked := directory(t, func(string) map[string]string { return nil })
	i, _ := open(t, u.URL+"/introspect", func(c *Config) { c.Endpoint.Issuer = "https://as.example" })
	i.Warm(t.Context())
	ask(t, i)
	if want := []string{"POST /introspect"}; !slices.Equal(asked.read(), want) {
		t.Errorf("asked %q", asked.read())
	}
}

const wiredIssuer = "https://as.example/t"

// wiredMetadata is the document a wired server has; empty while it is down.
type wiredMetadata struct{ atomic.Pointer[string] }

func (m *wiredMetadata) set(endpoint string) {
	doc := metadata(wiredIssuer, endpoint)
	m.Store(&doc)
}

// wired answers metadata with document, or fails when there is none, and introspection with active:true.
func wired(document *wiredMetadata, looks *[]time.Duration) wire {
	start := time.Now()
	return func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPost {
			return wireJSON(`{"active":true,"endpoint":"` + r.URL.Path + `"}`), nil
		}
		if strings.HasPrefix(r.URL.Path, "/.well-known/") {
			*looks = append(*looks, time.Since(start))
		}
		doc := document.Load()
		if doc == nil {
			return nil, errors.New("down")
		}
		return wireJSON(*doc), nil
	}
}

func TestMD5_WarmBacksOffUntilTheServerIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var document wiredMetadata
		var looks []time.Duration
		i, _ := openWired(t, discovering(wiredIssuer), wired(&document, &looks))
		time.AfterFunc(80*time.Second, func() { document.set("https://as.example/i") })
		i.Warm(t.Context())
		s := time.Second
		if want := []time.Duration{0, 1 * s, 3 * s, 7 * s, 15 * s, 31 * s, 61 * s, 91 * s}; !slices.Equal(looks,
			want) {
			t.Errorf("looked after %v", looks)
		}
		if i.server.KnownEndpoint(oauth.Introspection) != "https://as.example/i" {
			t.Errorf("endpoint %q", i.server.KnownEndpoint(oauth.Introspection))
		}
	})
}

func TestMD5_WarmEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var document wiredMetadata
		var looks []time.Duration
		i, _ := openWired(t, discovering(wiredIssuer), wired(&document, &looks))
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		i.Warm(ctx)
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("after %v", took)
		}
	})
}

func TestMD5_AFailureIsRememberedForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var document wiredMetadata
		var looks []time.Duration
		i, _ := openWired(t, discovering(wiredIssuer), wired(&document, &looks))
		refusal(t, i, authz.Unavailable)
		document.set("https://as.example/i")
		time.Sleep(400 * time.Millisecond)
		if e := refusal(t, i, authz.Unavailable); e.RetryAfter != fetch.Pause-400*time.Millisecond {
			t.Errorf("retry after %v", e.RetryAfter)
		}
		if len(looks) != 1 {
			t.Errorf("looked %d times", len(looks))
		}
		time.Sleep(fetch.Pause - 400*time.Millisecond)
		if !ask(t, i).Active {
			t.Error("not active")
		}
	})
}

func TestMD5_AServerThatIsBackIsFoundByTheNextRequest(t *testing.T) {
	for _, away := range []time.Duration{4 * time.Second, 40 * time.Second, 20 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			var document wiredMetadata
			var looks []time.Duration
			i, _ := openWired(t, discovering(wiredIssuer), wired(&document, &looks))
			go i.Warm(t.Context())
			for start := time.Now(); time.Since(start) < away; time.Sleep(150 * time.Millisecond) {
				if e := refusal(t, i, authz.Unavailable); e.RetryAfter > fetch.Pause {
					t.Errorf("retry after %s", e.RetryAfter)
				}
			}
			if most := int(away/fetch.Pause) + 2; len(looks) > most {
				t.Errorf("looked %d times in %s", len(looks), away)
			}
			document.set("https://as.example/i")
			time.Sleep(fetch.Pause)
			if !ask(t, i).Active {
				t.Errorf("not found after %s", away)
			}
		})
	}
}

func TestMD5_TheEndpointIsRefreshedBehindTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var document wiredMetadata
		document.set("https://as.example/old")
		var looks []time.Duration
		i, _ := openWired(t, func(c *Config) { discovering(wiredIssuer)(c); c.Cache.TTL = time.Hour * 24 },
			wired(&document, &looks))
		ask(t, i)
		document.set("https://as.example/new")
		time.Sleep(time.Hour)
		c, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New("fresh")})
		if err != nil || !strings.Contains(string(c.Raw), "/old") {
			t.Errorf("the request waited: %s, %v", c.Raw, err)
		}
		synctest.Wait()
		if c := ask(t, i); !strings.Contains(string(c.Raw), "/new") {
			t.Errorf("an answer of the old endpoint was used: %s", c.Raw)
		}
	})
}

func TestMD5_TheOldEndpointSurvivesAFailedRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var document wiredMetadata
		document.set("https://as.example/old")
		var looks []time.Duration
		i, _ := openWired(t, discovering(wiredIssuer), wired(&document, &looks))
		ask(t, i)
		document.Store(nil)
		for range 5 {
			time.Sleep(time.Hour)
			if !ask(t, i).Active {
				t.Error("not active")
			}
			synctest.Wait()
		}
		if len(looks) != 6 {
			t.Errorf("looked %d times", len(looks))
		}
	})
}

func TestAFlightThatWaitsForDiscoveryObeysTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, _ := openWired(t, discovering(wiredIssuer), func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		start := time.Now()
		refusal(t, i, authz.Unavailable)
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("after %v", took)
		}
		i.Close()
		if _, err := i.server.Endpoint(t.Context(), oauth.Introspection); authz.KindOf(err) != authz.Unavailable {
			t.Errorf("after Close: %v", err)
		}
	})
}
