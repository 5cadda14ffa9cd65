package main

import (
	"net/http/httptest"
	"testing"

	"github.com/authz-sidecar/sidecar/sidecarclient/sidecartest"
)

func TestTheServiceOfTheTutorialServesADocumentToItsOwner(t *testing.T) {
	sidecar := sidecartest.New(t,
		sidecartest.Rule{Path: "/tenants/acme/documents/alice/*", Token: "alices",
			Decision: sidecartest.Allow("X-Subject", "alice")},
		sidecartest.On("/tenants/acme/documents/*", sidecartest.Deny(403, "not_owner", "it belongs to another user")))
	app, err := documents(sidecar.URL)
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]int{"alices": 200, "bobs": 403} {
		r := httptest.NewRequest("GET", "/tenants/acme/documents/alice/42", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		if app.ServeHTTP(w, r); w.Code != want || want == 200 && w.Body.String() != "document 42, for alice\n" {
			t.Errorf("%s: %d %s, want %d", token, w.Code, w.Body, want)
		}
	}
}
