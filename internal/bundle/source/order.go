package source

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
)

// order is what tells an older version of a bundle from a newer one.
type order struct {
	revision string
	// serial is metadata.serial of the manifest, a whole number that grows with each version; nil when there is none.
	serial *big.Int
}

// orderOf reads the manifest as far as it orders versions.
func orderOf(a *archive.Archive) order {
	var m struct {
		Revision string `json:"revision"`
		Metadata struct {
			Serial json.Number `json:"serial"`
		} `json:"metadata"`
	}
	for _, f := range a.Files {
		if f.Kind == bundle.Manifest {
			if json.Unmarshal(f.Raw, &m) != nil {
				return order{revision: m.Revision} // what is wrong with a manifest is found out when it is built
			}
		}
	}
	o := order{revision: m.Revision}
	if n, ok := number(m.Metadata.Serial.String()); ok {
		o.serial = n
	}
	return o
}

// olderThan says how o is older than what is active; it is empty when o is as new, or newer, or when that cannot be
// told, which note says. Serials decide where both have one. Revisions decide else, when both are semantic versions,
// both numbers, or both times.
func (o order) olderThan(active order) (older, note string) {
	switch {
	case o.serial != nil && active.serial != nil:
		if o.serial.Cmp(active.serial) < 0 {
			return fmt.Sprintf("serial %s is older than %s, which is active", o.serial, active.serial), ""
		}
		return "", ""
	case active.serial != nil:
		return "the manifest has no metadata.serial, and that of the active archive is " + active.serial.String(), ""
	case o.revision == active.revision:
		return "", fmt.Sprintf("revision %q is that of the active archive, whose contents are others: neither is "+
			"known "+
			"to be newer", o.revision)
	}
	for _, compare := range []func(a, b string) (int, bool){numbers, times, versions} {
		if c, ok := compare(o.revision, active.revision); ok {
			if c < 0 {
				return fmt.Sprintf("revision %q is older than %q, which is active", o.revision, active.revision), ""
			}
			return "", ""
		}
	}
	return "", fmt.Sprintf("revisions %q and %q cannot be compared: neither is known to be newer", o.revision,
		active.revision)
}

// number reads a whole number of a sensible length.
func number(s string) (*big.Int, bool) {
	if len(s) > 100 {
		return nil, false
	}
	return new(big.Int).SetString(s, 10)
}

func numbers(a, b string) (int, bool) {
	x, ok := number(a)
	y, ok2 := number(b)
	if !ok || !ok2 {
		return 0, false
	}
	return x.Cmp(y), true
}

func times(a, b string) (int, bool) {
	x, err := time.Parse(time.RFC3339, a)
	y, err2 := time.Parse(time.RFC3339, b)
	return x.Compare(y), err == nil && err2 == nil
}

// semantic matches a semantic version, https://semver.org, with or without the v in front.
var semantic = regexp.MustCompile(
	`^v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?$`)

func versions(a, b string) (int, bool) {
	x, y := semantic.FindStringSubmatch(a), semantic.FindStringSubmatch(b)
	if x == nil || y == nil {
		return 0, false
	}
	for i := 1; i <= 3; i++ {
		if c, _ := numbers(x[i], y[i]); c != 0 {
			return c, true
		}
	}
	return comparePreReleases(x[4], y[4]), true
}

// comparePreReleases compares as section 11 of the specification says: one without is the newest.
func comparePreReleases(a, b string) int {
	if a == "" || b == "" {
		return cmp.Compare(b, a) // "" is greater than any text
	}
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		c, numeric := numbers(x[i], y[i])
		if !numeric {
			_, first := number(x[i])
			_, second := number(y[i])
			switch {
			case first:
				c = -1 // a number is less than a text
			case second:
				c = 1
			default:
				c = strings.Compare(x[i], y[i])
			}
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(x), len(y))
}
