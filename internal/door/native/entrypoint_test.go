package native_test

import (
	"testing"

	"github.com/authz-sidecar/sidecar/internal/door/native"
)

// TestASlashOfAnEntrypointMayBeEncoded: clients that are generated from the description encode parameters.
func TestASlashOfAnEntrypointMayBeEncoded(t *testing.T) {
	s := serve(t, listener(), native.Deps{})
	for _, path := range []string{"authz/no", "authz%2Fno", "authz%2fno"} {
		if got := s.decided(t, "/v1/decisions/"+path, question); got.Policy.Path != "authz/no" {
			t.Errorf("%s asked %s", path, got.Policy.Path)
		}
	}
}

// TestNullIsTakenWhereItIsDescribed: schemathesis found that null was taken as a value of a header.
func TestNullIsTakenWhereItIsDescribed(t *testing.T) {
	s := serve(t, listener(), native.Deps{})
	s.decided(t, "/v1/decisions", `{"request":{"method":"GET","url":"/","headers":{"a":null,"b":[null]},"body":null},`+
		`"token":null,"context":null}`)
	resp, body := s.post(t, "/v1/decisions/batch", `{"request":{"method":"GET","url":"/"},"items":[null]}`)
	if resp.StatusCode != 200 {
		t.Errorf("answered %s", body)
	}
}
