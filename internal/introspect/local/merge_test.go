package local

import (
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// What the claims of a token and the answer about it say of its subject is one type, in every mode.
func TestClaimsAndAnswerSayOneTypeOfSubject(t *testing.T) {
	who := func(kind authz.SubjectType) authz.Subject { return authz.Subject{ID: "web", Type: kind} }
	for _, c := range []struct {
		name          string
		claim, answer authz.Subject
		want          authz.SubjectType
	}{
		{"both know a person", who(authz.User), who(authz.User), authz.User},
		{"both know a client", who(authz.Client), who(authz.Client), authz.Client},
		{"the token has a session", who(authz.User), who(authz.UnknownType), authz.User},
		{"the answer has a name", who(authz.UnknownType), who(authz.User), authz.User},
		{"the answer has a name beside what looks like a client", who(authz.Client),
			authz.Subject{ID: "web", Type: authz.UnknownType, Username: "Alice"}, authz.UnknownType},
		{"they differ", who(authz.Client), who(authz.User), authz.UnknownType},
		{"they differ the other way", who(authz.User), who(authz.Client), authz.UnknownType},
		{"the answer names no subject", who(authz.Client), authz.Subject{Type: authz.UnknownType}, authz.Client},
		{"the answer names a user only", who(authz.Client), authz.Subject{Type: authz.UnknownType, Username: "al"},
			authz.UnknownType},
	} {
		if got := typeOf(c.claim, c.answer); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
