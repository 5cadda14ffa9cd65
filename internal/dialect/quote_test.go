package dialect

import (
	"strings"
	"testing"
)

func TestWhatACauseRepeatsOfATokenIsEscapedAndCut(t *testing.T) {
	for want, names := range map[string][]string{
		`none`: nil, `"a"`: {"a"}, `"a", "b", "c", 2 more`: {"a", "b", "c", "d", "e"},
		`"\n\x1b[2J\u202e\u0085"`:              {"\n\x1b[2J\u202e\u0085"},
		`"` + strings.Repeat("x", 99) + `"...`: {strings.Repeat("x", 99) + "é" + strings.Repeat("y", 1000)},
	} {
		if got := Quote(names...); got != want {
			t.Errorf("%q: %s", names, got)
		}
	}
}
