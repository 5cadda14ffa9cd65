package internal_test

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestConnectionsAreOpenedInOnePlace: what a client does when a connection dies silently is decided in package
// httpclient. The load of a drill is none of the sidecar's requests.
func TestConnectionsAreOpenedInOnePlace(t *testing.T) {
	client := regexp.MustCompile(
		`http\.(Transport\{|Client\{|DefaultClient|DefaultTransport|Get\(|Head\(|Post\(|PostForm\()`)
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		if strings.HasPrefix(name, "httpclient/") || strings.HasPrefix(name, "testkit/outage/") ||
			strings.Contains(name, "testdata/") {
			return nil
		}
		src, err := os.ReadFile(name)
		if found := client.Find(src); found != nil {
			t.Errorf("%s: %s: build it with package httpclient", name, found)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
