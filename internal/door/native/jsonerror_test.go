package native_test

import (
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/door/native"
)

func TestAnUnknownEntrypointIsRepeatedUnlessItMayBeAToken(t *testing.T) {
	s := serve(t, listener(), native.Deps{})
	for path, repeated := range map[string]bool{
		"authz/unheard_of": true, "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln": false, rawToken + "x" + rawToken: false,
	} {
		if _, body := s.post(t, "/v1/decisions/"+path, "{}"); strings.Contains(body, path) != repeated {
			t.Errorf("%s: answered %s", path, body)
		}
	}
}
