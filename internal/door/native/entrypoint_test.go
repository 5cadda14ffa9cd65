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
