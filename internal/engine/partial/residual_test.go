package partial

import (
	"fmt"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
)

func TestX(t *testing.T) {
	set, err := dir.Load(dir.Config{Paths: []string{"../../../policies"}, Bundles: []string{"../../../bundles/example"}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(set, Config{Entrypoint: "authz/decision", Now: time.Unix(1764331200, 0)})
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []string{
		`{"request":{"method":"GET","path":"/orders","segments":["orders"]}}`,
		`{"request":{"method":"DELETE","path":"/orders/42","segments":["orders","42"]}}`,
		`{"request":{"method":"GET","path":"/tenants/t/reports","segments":["tenants","t","reports"]}}`,
		`{"request":{"method":"GET","path":"/healthz","segments":["healthz"]}}`,
		`{"request":{"method":"GET","path":"/x","segments":["x"]}}`,
	} {
		begin := time.Now()
		f, err := p.Condition(t.Context(), Request{Known: []byte(in), Unknown: [][]string{{"token"}, {"request", "headers"}}, HeaderNames: []string{"x-tenant"}, Facts: []Fact{{[]string{"token", "kind"}, "id", true}, {[]string{"token", "active"}, true, false}}})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(in, time.Since(begin))
		for _, w := range p.Constraints(f) {
			fmt.Println("  --")
			for _, x := range w {
				fmt.Println("   ", x)
			}
		}
	}
}
