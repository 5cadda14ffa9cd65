package authserver

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Methods of client authentication.
const (
	authBasic  = "client_secret_basic"
	authPost   = "client_secret_post"
	authBearer = "bearer"
	authNone   = "none"
)

// credentials are who the sidecar is to a server.
type credentials struct {
	client Client
	secret secret.Text
}

// readCredentials reads the client secret, and refuses what the method cannot carry.
func readCredentials(c Client) (credentials, error) {
	if c.Auth == authNone {
		return credentials{client: c}, nil
	}
	s, err := c.Secret.Read()
	if err != nil {
		return credentials{}, fmt.Errorf("client.secret: %w", err)
	}
	if c.Auth == authBearer && strings.ContainsFunc(s.Reveal(), notInHeader) {
		return credentials{}, fmt.Errorf("client.secret: it holds characters that no bearer token has")
	}
	return credentials{c, s}, nil
}

func notInHeader(r rune) bool { return r <= ' ' || r >= 0x7f }

// authenticate adds to form what the method has there, and returns the Authorization field, or "".
func (c credentials) authenticate(form url.Values) (authorization string) {
	switch c.client.Auth {
	case authPost:
		form.Set("client_id", c.client.ID)
		form.Set("client_secret", c.secret.Reveal())
		return ""
	case authNone:
		return ""
	case authBearer:
		return "Bearer " + c.secret.Reveal()
	}
	return "Basic " + c.basic()
}

// basic encodes id and secret separately before joining them (RFC 6749 section 2.3.1): either may hold a colon.
func (c credentials) basic() string {
	id, password := c.client.ID, c.secret.Reveal()
	if c.client.BasicEncoding != "raw" {
		id, password = url.QueryEscape(id), url.QueryEscape(password)
	}
	return base64.StdEncoding.EncodeToString([]byte(id + ":" + password))
}
