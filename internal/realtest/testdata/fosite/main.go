// An authorization server on Ory fosite, for the tests of the sidecar:
//
//	fosite PORT
//
// The secrets of its clients are in the environment. It keeps everything in memory, and every login is alice's. Below
// /jwt is the same server with access tokens that are JWTs.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"log"
	"math/big"
	"net/http"
	"os"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/storage"
	"github.com/ory/fosite/token/jwt"
	"golang.org/x/crypto/bcrypt"
)

func main() {
	issuer := "http://127.0.0.1:" + os.Args[1]
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		log.Fatal(err)
	}
	config, store, err := setup(issuer)
	if err != nil {
		log.Fatal(err)
	}
	keyOf := func(context.Context) (any, error) { return key, nil }
	opaque := &server{compose.ComposeAllEnabled(config, store, key), opaqueSession}
	// A configuration belongs to one server: composing adds to it.
	config, _, err = setup(issuer)
	if err != nil {
		log.Fatal(err)
	}
	structured := &server{compose.Compose(config, store, &compose.CommonStrategy{
		CoreStrategy: compose.NewOAuth2JWTStrategy(keyOf, compose.NewOAuth2HMACStrategy(config), config),
		Signer:       &jwt.DefaultSigner{GetPrivateKey: keyOf},
	}, compose.OAuth2AuthorizeExplicitFactory, compose.OAuth2ClientCredentialsGrantFactory,
		compose.OAuth2RefreshTokenGrantFactory,
		compose.OAuth2TokenIntrospectionFactory, compose.OAuth2TokenRevocationFactory, compose.OAuth2PKCEFactory),
		jwtSession}
	opaque.serve("")
	structured.serve("/jwt")
	http.HandleFunc("/jwks", func(w http.ResponseWriter, _ *http.Request) { writeKey(w, &key.PublicKey) })
	http.HandleFunc("/ready", func(http.ResponseWriter, *http.Request) {})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}

// keyID names the one key.
const keyID = "rsa"

// writeKey publishes the key: RFC 7517.
func writeKey(w http.ResponseWriter, key *rsa.PublicKey) {
	encode := base64.RawURLEncoding.EncodeToString
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": keyID, "n": encode(key.N.Bytes()),
		"e": encode(big.NewInt(int64(key.E)).Bytes()),
	}}})
}

// server is a provider and the sessions that it needs.
type server struct {
	provider fosite.OAuth2Provider
	session  func(subject, client string) fosite.Session
}

func (s *server) serve(prefix string) {
	http.HandleFunc(prefix+"/authorize", s.authorize)
	http.HandleFunc(prefix+"/token", s.token)
	http.HandleFunc(prefix+"/introspect", s.introspect)
	http.HandleFunc(prefix+"/revoke", s.revoke)
}

func setup(issuer string) (*fosite.Config, *storage.MemoryStore, error) {
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
			return nil, nil, err
		}
		store.Clients[c.id] = &fosite.DefaultClient{
			ID: c.id, Secret: hash, GrantTypes: c.grants, ResponseTypes: []string{"code"},
			RedirectURIs: []string{"http://127.0.0.1:9/callback"},
			Scopes:       []string{"orders:read", "orders:write"}, Audience: []string{"orders-api", "shipping-api"},
		}
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return nil, nil, err
	}
	return &fosite.Config{
		GlobalSecret: secret, AccessTokenLifespan: 10 * time.Minute, SendDebugMessagesToClients: false,
		AccessTokenIssuer:  issuer,
		RefreshTokenScopes: []string{}, // a refresh token for everybody, not only with the scope "offline"
	}, store, nil
}

func opaqueSession(subject, _ string) fosite.Session {
	return &fosite.DefaultSession{Subject: subject, Username: subject, Extra: map[string]any{"tenant": "acme"}}
}

// jwtSession has the claims that Hydra adds to those of the engine: client_id, and sub also where a client speaks for
// itself. Without a jti here the engine would make up one for the token, and another one for each answer about it.
func jwtSession(subject, client string) fosite.Session {
	return &oauth2.JWTSession{
		Subject: subject, Username: subject, JWTHeader: &jwt.Headers{Extra: map[string]any{"kid": keyID}},
		JWTClaims: &jwt.JWTClaims{JTI: rand.Text(), Subject: cmp.Or(subject, client),
			Extra: map[string]any{"client_id": client, "tenant": "acme"}},
	}
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
	response, err := s.provider.NewAuthorizeResponse(r.Context(), request,
		s.session("alice", request.GetClient().GetID()))
	if err != nil {
		s.provider.WriteAuthorizeError(r.Context(), w, request, err)
		return
	}
	s.provider.WriteAuthorizeResponse(r.Context(), w, request, response)
}

func (s *server) token(w http.ResponseWriter, r *http.Request) {
	// The client of a token for itself is the one that authenticates; that of another token is known since its code
	// was given.
	client, _, _ := r.BasicAuth()
	request, err := s.provider.NewAccessRequest(r.Context(), r, s.session("", client))
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
	response, err := s.provider.NewIntrospectionRequest(r.Context(), r, s.session("", ""))
	if err != nil {
		s.provider.WriteIntrospectionError(r.Context(), w, err)
		return
	}
	s.provider.WriteIntrospectionResponse(r.Context(), w, response)
}

func (s *server) revoke(w http.ResponseWriter, r *http.Request) {
	s.provider.WriteRevocationResponse(r.Context(), w, s.provider.NewRevocationRequest(r.Context(), r))
}
