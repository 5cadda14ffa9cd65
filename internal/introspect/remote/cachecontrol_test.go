package remote

import (
	"net/http"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/introspect"
)

func limited(seconds time.Duration) introspect.CacheControl {
	return introspect.CacheControl{Limited: true, MaxAge: seconds * time.Second}
}

func revalidated(seconds time.Duration) introspect.CacheControl {
	return introspect.CacheControl{Limited: true, MaxAge: seconds * time.Second, MustRevalidate: true}
}

func TestINT14_CacheControlIsReadStrictly(t *testing.T) {
	for name, c := range map[string]struct {
		header http.Header
		want   introspect.CacheControl
	}{
		"nothing":           {http.Header{}, introspect.CacheControl{}},
		"longer":            {http.Header{"Cache-Control": {"max-age=3600"}}, limited(3600)},
		"very long":         {http.Header{"Cache-Control": {"max-age=99999999999999999999999"}}, limited(1 << 31)},
		"shorter":           {http.Header{"Cache-Control": {"private, MAX-AGE = 5"}}, limited(5)},
		"between":           {http.Header{"Cache-Control": {`max-age="20"`}}, limited(20)},
		"shortest of two":   {http.Header{"Cache-Control": {"max-age=20", "s-maxage=3"}}, limited(3)},
		"aged on its way":   {http.Header{"Cache-Control": {"max-age=8"}, "Age": {"6"}}, limited(2)},
		"too old":           {http.Header{"Cache-Control": {"max-age=8"}, "Age": {"9"}}, limited(0)},
		"zero":              {http.Header{"Cache-Control": {"max-age=0"}}, limited(0)},
		"rubbish":           {http.Header{"Cache-Control": {"max-age=-1"}}, limited(0)},
		"no-store":          {http.Header{"Cache-Control": {"no-store"}}, revalidated(0)},
		"no-cache, max-age": {http.Header{"Cache-Control": {"max-age=9, no-cache"}}, revalidated(0)},
		"no-cache of one":   {http.Header{"Cache-Control": {`no-cache="set-cookie, x"`}}, revalidated(0)},
		"must-revalidate":   {http.Header{"Cache-Control": {"max-age=5, must-revalidate"}}, revalidated(5)},
	} {
		if got := cacheControl(c.header); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}
