package conf

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/authz-sidecar/sidecar/internal/suggest"
)

// allowed says how a single value breaks the rules of f, or nil.
func allowed(v reflect.Value, f Field) *Refusal {
	switch v.Kind() {
	case reflect.String:
		return allowedText(v.String(), f)
	case reflect.Int, reflect.Int64:
		if IsDuration(v.Type()) {
			return within(time.Duration(v.Int()), f, readDuration, Duration)
		}
		return within(v.Int(), f, readInt, func(n int64) string { return strconv.FormatInt(n, 10) })
	case reflect.Float64:
		x := v.Float()
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return &Refusal{"is not a number", "write a number, such as 0.1"}
		}
		return within(x, f, readFloat, func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) })
	}
	return nil
}

// allowedItem says how one string of a list breaks the rules of f. An empty one is refused unless the field takes it:
// where items are prefixes, an empty item would stand for everything.
func allowedItem(v reflect.Value, f Field) *Refusal {
	if v.Len() == 0 {
		if f.BlankItems {
			return nil
		}
		return &Refusal{"holds an empty item", "remove it, or write [] for an empty list"}
	}
	return allowedText(v.String(), f)
}

func allowedText(text string, f Field) *Refusal {
	if !utf8.ValidString(text) {
		return &Refusal{"is not valid UTF-8", "write it in UTF-8"}
	}
	// A line break here could become one in a header or in a log.
	if strings.ContainsFunc(text, unicode.IsControl) {
		return &Refusal{"holds a control character, such as a line break", "write it on one line"}
	}
	if len(f.Enum) == 0 || slices.Contains(f.Enum, text) {
		return nil
	}
	p := &Refusal{Quote(text) + " is not one of " + strings.Join(f.Enum, ", "), "write one of these words"}
	if s := meant(text, f.Enum); s != "" {
		p.Hint = fmt.Sprintf("did you mean %q?", s)
	}
	return p
}

// meant is the word that text was probably meant to be, or "": a similar one, or the only one of which it is a part,
// or the beginning.
func meant(text string, words []string) string {
	if s := suggest.Closest(text, words); s != "" || len(text) < 3 {
		return s
	}
	parts := slices.DeleteFunc(slices.Clone(words), func(w string) bool {
		return !strings.HasSuffix(w, "_"+text) && !strings.HasPrefix(w, text+"_") && !strings.HasPrefix(text, w)
	})
	if len(parts) != 1 {
		return ""
	}
	return parts[0]
}

// within says how n breaks the bounds of f. Without a min the least is 0: no count, size or time can be negative.
func within[T cmp.Ordered](n T, f Field, read func(string) T, show func(T) string) *Refusal {
	least, most := read(f.Min), read(f.Max)
	hint := fmt.Sprintf("write a value from %s to %s", show(least), show(most))
	if f.Max == "" {
		hint = fmt.Sprintf("write %s or more", show(least))
	}
	switch {
	case n < least:
		return &Refusal{fmt.Sprintf("%s is below %s, the least allowed", show(n), show(least)), hint}
	case f.Max != "" && n > most:
		return &Refusal{fmt.Sprintf("%s is above %s, the most allowed", show(n), show(most)), hint}
	}
	return nil
}

// The readers of bounds give 0 for a bound that is not there. A test of package config reads every bound.

func readInt(s string) int64 { n, _ := strconv.ParseInt(s, 10, 64); return n }

func readFloat(s string) float64 { x, _ := strconv.ParseFloat(s, 64); return x }

func readDuration(s string) time.Duration { d, _ := time.ParseDuration(s); return d }
