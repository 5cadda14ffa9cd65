// An authorization server on Ory fosite, for the tests of the sidecar:
//
//	fosite PORT
//
// The secrets of its clients are in the environment. It keeps everything in memory, and whoever asks to log in is alice.
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/storage"
	"golang.org/x/crypto/bcrypt"
)

func main() {
	s, err := newServer()
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/authorize", s.authorize)
	http.HandleFunc("/token", s.token)
	http.HandleFunc("/introspect", s.introspect)
	http.HandleFunc("/revoke", s.revoke)
	http.HandleFunc("/ready", func(http.ResponseWriter, *http.Request) {})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}

type server struct{ provider fosite.OAuth2Provider }

func newServer() (*server, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	store := storage.NewMemoryStore()
	for _, c := range []struct {
		id, secret string
		grants     []string
	}{
		{"orders-api", os.Getenv("ORDERS_API_SECRET"), []string{"client_credentials"}},
		{"orders-app", os.Getenv("ORDERS_APP_SECRET"), []string{"client_credentials"}},
		{"orders-web", os.Getenv("ORDERS_WEB_SECRET"), []string{"authorization_code", "refresh_token"}},
	} {
		hash, err := bcrypt.GenerateFromPassword([]byte(c.secret), bcrypt.MinCost)
		if err != nil {
			return nil, err
		}
		store.Clients[c.id] = &fosite.DefaultClient{
			ID: c.id, Secret: hash, GrantTypes: c.grants, ResponseTypes: []string{"code"}, RedirectURIs: []string{"http://127.0.0.1:9/callback"},
			Scopes: []string{"orders:read", "orders:write"}, Audience: []string{"orders-api", "shipping-api"},
		}
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return nil, err
	}
	config := &fosite.Config{
		GlobalSecret: secret, AccessTokenLifespan: 10 * time.Minute, SendDebugMessagesToClients: false,
		RefreshTokenScopes: []string{}, // a refresh token for everybody, not only with the scope "offline"
	}
	return &server{compose.ComposeAllEnabled(config, store, key)}, nil
}

func session(subject string) *fosite.DefaultSession {
	return &fosite.DefaultSession{Subject: subject, Username: subject, Extra: map[string]any{"tenant": "acme"}}
}

// grant gives what was asked for; fosite has compared it with what the client may ask for.
func grant(r fosite.Requester) {
	for _, s := range r.GetRequestedScopes() {
		r.GrantScope(s)
	}
	for _, a := range r.GetRequestedAudience() {
		r.GrantAudience(a)
	}
}

func (s *server) authorize(w http.ResponseWriter, r *http.Request) {
	request, err := s.provider.NewAuthorizeRequest(r.Context(), r)
	if err != nil {
		s.provider.WriteAuthorizeError(r.Context(), w, request, err)
		return
	}
	grant(request)
	response, err := s.provider.NewAuthorizeResponse(r.Context(), request, session("alice"))
	if err != nil {
		s.provider.WriteAuthorizeError(r.Context(), w, request, err)
		return
	}
	s.provider.WriteAuthorizeResponse(r.Context(), w, request, response)
}

func (s *server) token(w http.ResponseWriter, r *http.Request) {
	request, err := s.provider.NewAccessRequest(r.Context(), r, session(""))
	if err != nil {
		s.provider.WriteAccessError(r.Context(), w, request, err)
		return
	}
	if request.GetGrantTypes().ExactOne("client_credentials") {
		grant(request)
	}
	response, err := s.provider.NewAccessResponse(r.Context(), request)
	if err != nil {
		s.provider.WriteAccessError(r.Context(), w, request, err)
		return
	}
	s.provider.WriteAccessResponse(r.Context(), w, request, response)
}

func (s *server) introspect(w http.ResponseWriter, r *http.Request) {
	response, err := s.provider.NewIntrospectionRequest(r.Context(), r, session(""))
	if err != nil {
		s.provider.WriteIntrospectionError(r.Context(), w, err)
		return
	}
	s.provider.WriteIntrospectionResponse(r.Context(), w, response)
}

func (s *server) revoke(w http.ResponseWriter, r *http.Request) {
	s.provider.WriteRevocationResponse(r.Context(), w, s.provider.NewRevocationRequest(r.Context(), r))
}
