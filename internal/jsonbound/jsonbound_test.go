package jsonbound

import (
	"strings"
	"testing"
)

func TestNumbersOfReasonableSizeCanBeRead(t *testing.T) {
	for _, text := range []string{"0", "-0", "1.5", "1e308", "1e400", "1E+9999", "-1.5e-10000", "0e1",
		"123456789012345678901234567890", "0." + strings.Repeat("1", 1000), strings.Repeat("9", 10_000)} {
		if !Number(text) || Check([]byte(text)) != nil {
			t.Errorf("%.40s is refused", text)
		}
	}
}

func TestNumbersThatAreTooLargeCannotBeRead(t *testing.T) {
	for _, text := range []string{"1e10001", "1e999999999", "-1E-999999999", "1e+00000999999999", "0e999999999",
		"1e99999999999999999999", strings.Repeat("9", 10_001), "0." + strings.Repeat("0", 10_000) +
			"1", strings.Repeat("9", 9999) + "e9", "1.5e99999"} {
		if f := Check([]byte("[" + text + "]")); Number(text) || f == nil || *f != (Fault{"/0", TooLarge}) {
			t.Errorf("%.40s is taken: %v", text, f)
		}
	}
}

func TestCheckPointsToTheFault(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n-1) + "{}" + strings.Repeat("}", n-1) }
	for value, want := range map[string]string{
		`{}`:                                  "",
		`{"a":[1,2.5,"1e99999"]}`:             "",
		`{"a":{"b/c":[1,{"n":1e999999999}]}}`: "/a/b~1c/1/n " + TooLarge,
		`1e99999`:                             " " + TooLarge,
		deep(64):                              "",
		deep(65):                              strings.Repeat("/a", 64) + " " + TooDeep,
		strings.Repeat("[", 65):               strings.Repeat("/0", 64) + " " + TooDeep,
		`{"name":"\ud83d","name":"` + strings.Repeat("1", 300) + `e9"}`: "",
	} {
		got := ""
		if f := Check([]byte(value)); f != nil {
			got = string(f.At) + " " + f.Cause
		}
		if Deep([]byte(value)) != strings.HasSuffix(want, TooDeep) {
			t.Errorf("%.60s: deep is not what %q says", value, want)
		}
		if got != want {
			t.Errorf("%.60s: %q, want %q", value, got, want)
		}
	}
}
