package app

import (
	"net/http"
	"strings"
	"testing"
)

func TestADoorRefusesUnknownPathsOfItsOwnInItsFormat(t *testing.T) {
	w := start(t, nil)
	for path, want := range map[string]string{
		"/access/v1/evaluate": `"there is nothing at this path`,
		"/v1/data":            `"code": "resource_not_found"`,
		"/v0/data":            `"code": "resource_not_found"`,
		"/v1/batch/other":     `"code": "resource_not_found"`,
		"/accessed":           `{"error":{"code":"not_found"`,
		"/v1/database":        `{"error":{"code":"not_found"`,
	} {
		if status, body := w.asOPA(t, path, "{}"); status != http.StatusNotFound ||
			!strings.HasPrefix(strings.TrimLeft(body, "{\n "), strings.TrimLeft(want, "{ ")) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.api+"/access", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Request-ID", "r-1")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if id := resp.Header.Get("X-Request-ID"); id != "r-1" {
		t.Errorf("X-Request-ID of an unknown path of AuthZEN is %q", id)
	}
}
