package config

import (
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

// setText gives v the value that text stands for, or says why it cannot. Environment variables, defaults and the
// scalars of the file all come through here, so that one spelling means one thing.
func setText(v reflect.Value, f field, text string) *problem {
	switch {
	case isDuration(v.Type()):
		return setDuration(v, f, text)
	case isStrings(v.Type()):
		return setList(v, f, text)
	}
	switch v.Kind() {
	case reflect.String:
		return setString(v, f, text)
	case reflect.Bool:
		return setBool(v, text)
	case reflect.Int, reflect.Int64:
		return setInt(v, f, text)
	case reflect.Float64:
		return setFloat(v, text)
	}
	return &problem{"is not a single value", "set the keys below it"}
}

// quote shows a value of an operator's, shortened.
func quote(text string) string {
	const most = 40
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "..."
	}
	return strconv.Quote(text)
}

func setString(v reflect.Value, f field, text string) *problem {
	if !utf8.ValidString(text) {
		return &problem{"is not valid UTF-8", "write it in UTF-8"}
	}
	// A line break here could become one in a header or in a log.
	if strings.ContainsFunc(text, unicode.IsControl) {
		return &problem{"holds a control character, such as a line break", "write it on one line"}
	}
	if len(f.enum) > 0 && !slices.Contains(f.enum, text) {
		p := &problem{quote(text) + " is not one of " + strings.Join(f.enum, ", "), "write one of these words"}
		if s := suggest.Closest(text, f.enum); s != "" {
			p.hint = fmt.Sprintf("did you mean %q?", s)
		}
		return p
	}
	v.SetString(text)
	return nil
}

func setBool(v reflect.Value, text string) *problem {
	switch text {
	case "true", "True", "TRUE":
		v.SetBool(true)
	case "false", "False", "FALSE":
		v.SetBool(false)
	default:
		return &problem{quote(text) + " is not true or false", "write true or false, without quotes"}
	}
	return nil
}

func setInt(v reflect.Value, f field, text string) *problem {
	n, err := strconv.ParseInt(text, 10, v.Type().Bits())
	if err != nil {
		return &problem{quote(text) + " is not a whole number", "write digits only, such as 1000"}
	}
	show := func(n int64) string { return strconv.FormatInt(n, 10) }
	parse := func(s string) int64 { n, _ := strconv.ParseInt(s, 10, 64); return n }
	if p := outside(n, f, parse, show); p != nil {
		return p
	}
	v.SetInt(n)
	return nil
}

func setDuration(v reflect.Value, f field, text string) *problem {
	d, err := time.ParseDuration(text)
	if err != nil {
		p := &problem{quote(text) + " is not a duration", `write a number and a unit (ms, s, m, h), such as "5s"`}
		if _, err := strconv.ParseFloat(text, 64); err == nil && len(text) < 20 {
			p.hint = fmt.Sprintf("write a unit, such as %q", text+"s")
		}
		return p
	}
	show := func(n int64) string { return duration(time.Duration(n)) }
	parse := func(s string) int64 { d, _ := time.ParseDuration(s); return int64(d) }
	if p := outside(int64(d), f, parse, show); p != nil {
		return p
	}
	v.SetInt(int64(d))
	return nil
}

// outside says how n breaks the bounds of f. Without a min the least is 0: no count, size or time here can be negative.
func outside(n int64, f field, parse func(string) int64, show func(int64) string) *problem {
	least, most := parse(f.min), parse(f.max)
	hint := fmt.Sprintf("write a value from %s to %s", show(least), show(most))
	if f.max == "" {
		most, hint = math.MaxInt64, fmt.Sprintf("write %s or more", show(least))
	}
	switch {
	case n < least:
		return &problem{fmt.Sprintf("%s is below %s, the least allowed", show(n), show(least)), hint}
	case n > most:
		return &problem{fmt.Sprintf("%s is above %s, the most allowed", show(n), show(most)), hint}
	}
	return nil
}

// duration spells d without the zero units of time.Duration's own spelling: 2m, not 2m0s.
func duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func setFloat(v reflect.Value, text string) *problem {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return &problem{quote(text) + " is not a number", "write a number, such as 0.1"}
	}
	v.SetFloat(x)
	return nil
}

// setList splits text at commas. Blanks around an item do not count, and the empty text is the empty list.
func setList(v reflect.Value, f field, text string) *problem {
	v.SetZero()
	if strings.TrimSpace(text) == "" {
		return nil
	}
	for part := range strings.SplitSeq(text, ",") {
		e := reflect.New(v.Type().Elem()).Elem()
		if p := setItem(e, f, strings.TrimSpace(part)); p != nil {
			return p
		}
		v.Set(reflect.Append(v, e))
	}
	return nil
}

// setItem sets one string of a list. An empty one is a slip, and would mean "everything" where items are prefixes; where it
// means something, the field says so.
func setItem(v reflect.Value, f field, text string) *problem {
	if text == "" && !f.blank {
		return &problem{"holds an empty item", "remove it, or write [] for an empty list"}
	}
	return setString(v, f, text)
}
