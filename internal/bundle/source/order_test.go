package source

import (
	"math/big"
	"strings"
	"testing"
)

func TestOrder_OfRevisionsAndSerials(t *testing.T) {
	serial := func(n int64) *big.Int { return big.NewInt(n) }
	for _, c := range []struct {
		next, active order
		older, note  string // the beginnings of what is said; both empty when next is as new or newer
	}{
		{next: order{revision: "2"}, active: order{revision: "10"}, older: `revision "2" is older`},
		{next: order{revision: "10"}, active: order{revision: "2"}},
		{next: order{revision: "1.10.0"}, active: order{revision: "1.9.0"}},
		{next: order{revision: "v1.9.0"}, active: order{revision: "1.10.0"}, older: `revision "v1.9.0" is older`},
		{next: order{revision: "1.0.0-rc.2"}, active: order{revision: "1.0.0"},
			older: `revision "1.0.0-rc.2" is older`},
		{next: order{revision: "1.0.0-rc.10"}, active: order{revision: "1.0.0-rc.9"}},
		{next: order{revision: "1.0.0-alpha"}, active: order{revision: "1.0.0-1"}},
		{next: order{revision: "1.0.0-1"}, active: order{revision: "1.0.0-alpha"},
			older: `revision "1.0.0-1" is older`},
		{next: order{revision: "1.0.0-a"}, active: order{revision: "1.0.0-a.b"}, older: `revision "1.0.0-a" is older`},
		{next: order{revision: "1.0.0+b"}, active: order{revision: "1.0.0+a"}},
		{next: order{revision: "2026-01-02T00:00:00+02:00"}, active: order{revision: "2026-01-01T23:00:00Z"},
			older: `revision "2026-01-02T00:00:00+02:00" is older`},
		{next: order{revision: "2026-01-02T00:00:00Z"}, active: order{revision: "2026-01-01T23:00:00Z"}},
		{next: order{revision: "e5861c9"}, active: order{revision: "9c71cca"},
			note: `revisions "e5861c9" and "9c71cca" cannot`},
		{next: order{revision: "2"}, active: order{revision: "1.0.0"}, note: `revisions "2" and "1.0.0" cannot`},
		{next: order{}, active: order{}, note: `revision "" is that of the active archive`},
		{next: order{revision: "1", serial: serial(8)}, active: order{revision: "2", serial: serial(7)}},
		{next: order{revision: "3", serial: serial(6)}, active: order{revision: "2", serial: serial(7)},
			older: "serial 6 is older than 7"},
		{next: order{revision: "3"}, active: order{revision: "2", serial: serial(7)},
			older: "the manifest has no metadata.serial"},
		{next: order{revision: "3", serial: serial(1)}, active: order{revision: "2"}},
		{next: order{revision: strings.Repeat("9", 1000)}, active: order{revision: "1"}, note: "revisions"},
	} {
		older, note := c.next.olderThan(c.active)
		if !strings.HasPrefix(older, c.older) || (older == "") != (c.older == "") ||
			!strings.HasPrefix(note, c.note) || (note == "") != (c.note == "") {
			t.Errorf("%+v after %+v: older %q, note %q", c.next, c.active, older, note)
		}
	}
}
