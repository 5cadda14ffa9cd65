package replay

import (
	"fmt"
	"strconv"
	"strings"
)

// Limit is a number of decisions, or a share of them.
type Limit struct {
	// Percent tells a share from a number.
	Percent bool
	Value   float64
}

// ParseLimit reads "0", "25" or "0.5%".
func ParseLimit(s string) (Limit, error) {
	number, percent := strings.CutSuffix(s, "%")
	v, err := strconv.ParseFloat(number, 64)
	switch {
	case err != nil || !(v >= 0):
		return Limit{}, fmt.Errorf("%q is neither a number of decisions nor a percentage, such as 10 or 0.5%%", s)
	case percent && v > 100:
		return Limit{}, fmt.Errorf("%q is more than 100%%", s)
	case !percent && v != float64(int(v)):
		return Limit{}, fmt.Errorf("%q is not whole: write a number of decisions, or a percentage with %%", s)
	}
	return Limit{percent, v}, nil
}

// String is the limit as ParseLimit reads it.
func (l *Limit) String() string {
	if l == nil {
		return "none"
	}
	s := strconv.FormatFloat(l.Value, 'f', -1, 64)
	if l.Percent {
		s += "%"
	}
	return s
}

// keeps reports whether n of a total is within the limit.
func (l *Limit) keeps(n, of int) bool {
	switch {
	case l == nil:
		return true
	case l.Percent:
		return float64(n)*100 <= l.Value*float64(of)
	}
	return float64(n) <= l.Value
}
