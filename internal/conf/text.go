package conf

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Refusal says why a value is not allowed, and what to write instead. The cause follows the name of the key.
type Refusal struct{ Cause, Hint string }

// SetText gives v, the value of f, what text stands for, or says why it cannot and leaves v alone. Environment
// variables, defaults and the scalars of a file all come through here, so that one spelling means one thing.
func SetText(v reflect.Value, f Field, text string) *Refusal {
	if IsStrings(v.Type()) {
		return setList(v, f, text)
	}
	parsed := reflect.New(v.Type()).Elem()
	if p := parse(parsed, text); p != nil {
		return p
	}
	if p := allowed(parsed, f); p != nil {
		return p
	}
	v.Set(parsed)
	return nil
}

// SetItem sets one string of a list.
func SetItem(v reflect.Value, f Field, text string) *Refusal {
	parsed := reflect.New(v.Type()).Elem()
	parsed.SetString(text)
	if p := allowedItem(parsed, f); p != nil {
		return p
	}
	v.Set(parsed)
	return nil
}

// setList splits text at commas. Blanks around an item do not count, and the empty text is the empty list.
func setList(v reflect.Value, f Field, text string) *Refusal {
	v.SetZero()
	if strings.TrimSpace(text) == "" {
		return nil
	}
	for part := range strings.SplitSeq(text, ",") {
		e := reflect.New(v.Type().Elem()).Elem()
		if p := SetItem(e, f, strings.TrimSpace(part)); p != nil {
			return p
		}
		v.Set(reflect.Append(v, e))
	}
	return nil
}

func parse(v reflect.Value, text string) *Refusal {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		switch text {
		case "true", "True", "TRUE":
			v.SetBool(true)
		case "false", "False", "FALSE":
			v.SetBool(false)
		default:
			return &Refusal{Quote(text) + " is not true or false", "write true or false, without quotes"}
		}
	case reflect.Int, reflect.Int64:
		if IsDuration(v.Type()) {
			return parseDuration(v, text)
		}
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return &Refusal{Quote(text) + " is not a whole number", "write digits only, such as 1000"}
		}
		v.SetInt(n)
	case reflect.Float64:
		x, err := strconv.ParseFloat(text, 64)
		if err != nil {
			x = math.NaN() // which is not allowed either
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return &Refusal{Quote(text) + " is not a number", "write a number, such as 0.1"}
		}
		v.SetFloat(x)
	default:
		return &Refusal{"is not a single value", "set the keys below it"}
	}
	return nil
}

func parseDuration(v reflect.Value, text string) *Refusal {
	d, err := time.ParseDuration(text)
	if err != nil {
		p := &Refusal{Quote(text) + " is not a duration", `write a number and a unit (ms, s, m, h), such as "5s"`}
		if _, err := strconv.ParseFloat(text, 64); err == nil && len(text) < 20 {
			p.Hint = fmt.Sprintf("write a unit, such as %q", text+"s")
		}
		if days, err := strconv.ParseUint(strings.TrimSuffix(text, "d"), 10, 16); err == nil &&
			strings.HasSuffix(text, "d") {
			p.Hint = fmt.Sprintf("write hours: \"%dh\"", days*24)
		}
		return p
	}
	v.SetInt(int64(d))
	return nil
}

// Quote shows a value that a user wrote, shortened.
func Quote(text string) string {
	const most = 40
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "..."
	}
	return strconv.Quote(text)
}

// Duration spells d without the zero units of time.Duration's own spelling: 2m, not 2m0s.
func Duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
