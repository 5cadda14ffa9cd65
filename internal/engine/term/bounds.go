package term

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/jsonbound"
)

// maxResultBytes is how many bytes of JSON a result may have before its strings are escaped: it is sent to the caller,
// logged, and read by masks.
const maxResultBytes = 1 << 20

// CheckBounds is an error when v is too large, or nested too deep, to be a result. It stops at the limit, so that a
// huge value costs no more than one at the limit.
func CheckBounds(v ast.Value) error {
	left := maxResultBytes
	return checkBounds(v, &left, 0)
}

func checkBounds(v ast.Value, left *int, depth int) (err error) {
	if depth > maxDepth {
		return fmt.Errorf("the result is nested deeper than %d, the limit", maxDepth)
	}
	switch v := v.(type) {
	case ast.String:
		*left -= len(v) + 3
	case ast.Number:
		if !jsonbound.Number(string(v)) {
			return fmt.Errorf("the result has a value that %s", jsonbound.TooLarge)
		}
		*left -= len(v) + 1
	case *ast.Array:
		err = v.Iter(func(t *ast.Term) error { return checkBounds(t.Value, left, depth+1) })
	case ast.Set:
		if *left -= 2 * v.Len(); *left >= 0 { // iterating a set sorts it
			err = v.Iter(func(t *ast.Term) error { return checkBounds(t.Value, left, depth+1) })
		}
	case ast.Object:
		if *left -= 6 * v.Len(); *left >= 0 {
			err = v.Iter(func(k, t *ast.Term) error {
				if err := checkBounds(k.Value, left, depth+1); err != nil {
					return err
				}
				return checkBounds(t.Value, left, depth+1)
			})
		}
	default:
		*left -= 5
	}
	if *left -= 2; err == nil && *left < 0 {
		err = fmt.Errorf("the result has more than %d bytes of JSON, the limit", maxResultBytes)
	}
	return err
}
