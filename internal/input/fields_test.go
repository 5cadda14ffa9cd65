package input_test

import (
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/input"
)

func TestConnectionMustNotNameWhatPoliciesSeeOrACredential(t *testing.T) {
	for value, refused := range map[string]bool{
		"authorization": true, "Cookie": true, "close, DPoP": true, "keep-alive,\tX-TENANT ": true,
		",,x-tenant,": true,
		"":            false, "close": false, "keep-alive, Upgrade": false, "TE, HTTP2-Settings": false,
		"x-other":   false,
		"x-tenant2": false,
	} {
		req := get("/")
		req.Headers = map[string][]string{"connection": {"keep-alive", value}}
		_, err := strict().Request(req)
		if got := err != nil && authz.KindOf(err) == authz.Malformed; got != refused || (err != nil) != refused {
			t.Errorf("Connection: %q: %v, want refused %v", value, err, refused)
		}
	}
}

func TestConnectionMustNotNameWhatIsSetForTheUpstream(t *testing.T) {
	set := []authz.Header{{Name: "X-Subject", Values: []string{"alice"}}, {Name: "X_Odd", Values: []string{""}}}
	for value, refused := range map[string]bool{
		"x-subject": true, "close, X-Subject": true, "X_Subject": true, "x-odd": true, "x.odd": true,
		"": false, "close": false, "x-subjects": false,
	} {
		err := input.CheckShadows(map[string][]string{"connection": {value}}, set)
		if (err != nil) != refused {
			t.Errorf("Connection: %q: %v, want refused %v", value, err, refused)
		}
	}
}
