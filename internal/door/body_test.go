package door_test

import (
	"errors"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/listen"
)

type body struct {
	Name string `json:"name"`
}

func TestABodyIsReadStrictlyAndWithinItsLimit(t *testing.T) {
	bodies := door.Bodies{Limits: listen.Limits{BodyBytes: 20}}
	for text, code := range map[string]string{
		`{"name":"a"}`:              "",
		`{"name":1}`:                "wrong_type",
		`{"nam":"a"}`:               "unknown_member",
		`{"name":"a","name":""}`:    "body_too_large",
		`{"name":"","name":""`:      "duplicate_member",
		`{"name":`:                  "bad_json",
		`{"name":"` + "\xff" + `"}`: "bad_json",
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(text))
		r.Header.Set("Content-Type", "application/json; charset=utf-8")
		var got string
		if e, ok := errors.AsType[*door.CallError](bodies.Read(r, new(body))); ok {
			got = e.Code
		}
		if got != code {
			t.Errorf("%s: code %q, want %q", text, got, code)
		}
	}
}

func TestHeadersThatDifferOnlyInCaseAreJoined(t *testing.T) {
	got := door.LowerNames(map[string][]string{"authorization": {"b"}, "Authorization": {"a"}, "X-A": {"1"}})
	if want := map[string][]string{"authorization": {"a", "b"}, "x-a": {"1"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("headers are %q", got)
	}
}
