package telemetry

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestThePageShowsRuntimeProcessAndVersion(t *testing.T) {
	srv := httptest.NewServer(NewMetrics("1.2.3").Handler())
	defer srv.Close()
	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	page, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v: %s", resp.StatusCode, err, page)
	}
	for _, part := range []string{"\ngo_goroutines ", "\nprocess_resident_memory_bytes ",
		"\nsidecar_app_build_info{version=\"1.2.3\"} 1\n"} {
		if !strings.Contains(string(page), part) {
			t.Errorf("no %q", part)
		}
	}
}
