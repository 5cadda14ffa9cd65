package native

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// evictions serves POST /v1/evict.
type evictions struct {
	door.Bodies
	evictor Evictor
	log     *slog.Logger
}

// evictCall is the body of POST /v1/evict. A member that is null counts as absent.
type evictCall struct {
	Issuer   *string `json:"issuer" schema:"filled" doc:"The configured name of an issuer, or its identifier. Without it, every issuer is meant."`
	Token    *string `json:"token" schema:"filled" doc:"The token itself, without a scheme."`
	JTI      *string `json:"jti" schema:"filled" doc:"What is known of the token."`
	SID      *string `json:"sid" schema:"filled" doc:"What is known of the token."`
	Sub      *string `json:"sub" schema:"filled" doc:"What is known of the token."`
	Username *string `json:"username" schema:"filled" doc:"What is known of the token."`
	ClientID *string `json:"client_id" schema:"filled" doc:"What is known of the token."`
	Tenant   *string `json:"tenant" schema:"filled" doc:"What is known of the token."`
	All      *bool   `json:"all" doc:"Every token, of issuer when that is there; nothing else may be named beside it."`
}

// evicted is the answer.
type evicted struct {
	Evicted int `json:"evicted"`
}

func (e *evictions) evict(c echo.Context) error {
	var in evictCall
	if err := e.Read(c.Request(), &in); err != nil {
		return err
	}
	v, named, err := in.revocation()
	if err != nil {
		return err
	}
	n, err := e.evictor.Evict(v)
	if err != nil {
		return evictError(err)
	}
	// The names of the members, never their values: a caller may put a token into the wrong one.
	e.log.Info("evicted", "named", named, "evicted", n, "caller", c.Request().RemoteAddr)
	return writeJSON(c, http.StatusOK, evicted{n})
}

// revocation returns the revocation that the call describes, and the names of the members that were given.
func (in evictCall) revocation() (authz.Revocation, []string, error) {
	var v authz.Revocation
	var named []string
	for _, m := range []struct {
		name string
		from *string
		to   *string
	}{
		{"issuer", in.Issuer, &v.Issuer}, {"jti", in.JTI, &v.TokenID}, {"sid", in.SID, &v.SessionID},
		{"sub", in.Sub, &v.Subject},
		{"username", in.Username, &v.Username}, {"client_id", in.ClientID, &v.ClientID},
		{"tenant", in.Tenant, &v.Tenant},
	} {
		switch {
		case m.from == nil:
		case *m.from == "":
			return v, nil, emptyMember(m.name)
		default:
			*m.to = *m.from
			named = append(named, m.name)
		}
	}
	if in.Token != nil {
		tok := strings.Trim(*in.Token, " \t\r\n") // as files and shells add them
		switch {
		case tok == "":
			return v, nil, emptyMember("token")
		case !httpuri.IsCredential(tok): // it would evict nothing, and the answer would look like success
			return v, nil, door.NewCallError(http.StatusBadRequest, "bad_token",
				"this is not the syntax of a token: give the token alone, without a scheme", "/token")
		}
		v.Token = secret.New(tok)
		named = append(named, "token")
	}
	if in.All != nil && *in.All {
		v.All = true
		named = append(named, "all")
	}
	return v, named, nil
}

func emptyMember(name string) error {
	return missing("/"+name, "the member is empty: leave it out, or give its value")
}

// evictError says what is wrong with a revocation. It does not repeat values of the call.
func evictError(err error) error {
	e, ok := errors.AsType[*authz.Error](err)
	if !ok || e.Kind != authz.Malformed {
		return err
	}
	out := door.NewCallError(http.StatusBadRequest, e.Code, e.Err.Error(), "")
	switch e.Code {
	case "nothing_named":
		out.Message = "name the tokens that are over by token, jti, sid, sub, username, client_id or tenant; or all " +
			"of them by all: true, and nothing but issuer beside it"
	case "unknown_issuer":
		out.Message, out.Pointer = "no issuer of the configuration has this name or identifier", "/issuer"
	case "issuer_needed":
		out.Message, out.Pointer =
			"the member is missing: two issuers may give the same sub or username to two people", "/issuer"
	}
	return out
}
