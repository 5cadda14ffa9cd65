package cache

import (
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/introspect"
)

func TestINT14_CacheControlShortensAndNeverLengthens(t *testing.T) {
	configured := lifetime{10 * time.Second, 30 * time.Second, 90 * time.Second}
	for name, c := range map[string]struct {
		control introspect.CacheControl
		want    lifetime
	}{
		"nothing": {introspect.CacheControl{}, configured},
		"longer":  {introspect.CacheControl{Limited: true, MaxAge: time.Hour}, configured},
		"between": {introspect.CacheControl{Limited: true, MaxAge: 20 * time.Second},
			lifetime{10 * time.Second, 20 * time.Second, 80 * time.Second}},
		"shorter": {introspect.CacheControl{Limited: true, MaxAge: 5 * time.Second},
			lifetime{5 * time.Second, 5 * time.Second, 65 * time.Second}},
		"zero":     {introspect.CacheControl{Limited: true}, lifetime{0, 0, time.Minute}},
		"no-store": {introspect.CacheControl{Limited: true, MustRevalidate: true}, lifetime{}},
		"must-revalidate": {introspect.CacheControl{Limited: true, MaxAge: 5 * time.Second, MustRevalidate: true},
			lifetime{5 * time.Second, 5 * time.Second, 5 * time.Second}},
	} {
		if got := configured.within(c.control); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
