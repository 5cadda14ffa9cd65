package oauth

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

func openJSON(t *testing.T, endpoint, method string) *Server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{
		Name: "test", IntrospectionEndpoint: endpoint, AllowInsecureHTTP: true, Timeout: 5 * time.Second,
		MaxResponseBytes: 1 << 10,
		Client:           Client{ID: "web", Auth: method, Secret: secret.Source{File: file}},
	}, Deps{Needs: []Endpoint{Introspection}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestJSONIsPostedWithCredentials(t *testing.T) {
	for _, method := range []string{"client_secret_basic", "bearer"} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			id, password, basic := r.BasicAuth()
			if bearer := r.Header.Get("Authorization") == "Bearer s3cret"; bearer == basic || basic &&
				(id != "web" || password != "s3cret") {
				t.Errorf("%s: credentials", method)
			}
			if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" ||
				r.Header.Get("Accept") != "application/x" || string(body) != `{"a":1}` {
				t.Errorf("%s: %s %v %s", method, r.Method, r.Header, body)
			}
			w.WriteHeader(http.StatusTeapot)
		}))
		r, err := openJSON(t, srv.URL, method).PostJSON(t.Context(), srv.URL, []byte(`{"a":1}`), "application/x")
		if err != nil || r.Status != http.StatusTeapot || r.Endpoint != srv.URL {
			t.Errorf("%s: %+v, %v", method, r, err)
		}
		srv.Close()
	}
}

// TestCA1_CredentialsOfAFormAreNotLeftOut: a request without them would look like one of another client.
func TestCA1_CredentialsOfAFormAreNotLeftOut(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked") }))
	defer srv.Close()
	if _, err := openJSON(t, srv.URL, "client_secret_post").PostJSON(t.Context(), srv.URL, nil,
		""); authz.KindOf(err) != authz.Misconfigured {
		t.Errorf("%v", err)
	}
}
