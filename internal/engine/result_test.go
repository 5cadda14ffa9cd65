package engine

import (
	"fmt"
	"strings"
	"testing"
)

func TestAResultThatCannotBeSentLoggedAndMaskedIsRefused(t *testing.T) {
	for rule, want := range map[string]string{
		`[x | some x in numbers.range(1, 200000)]`:                     "more than 1048576 bytes of JSON, the limit",
		`{x | some x in numbers.range(1, 600000)}`:                     "more than 1048576 bytes of JSON, the limit",
		`{sprintf("%d", [x]): 1 | some x in numbers.range(1, 200000)}`: "more than 1048576 bytes of JSON, the limit",
		`replace(sprintf("%2000d", [1]), " ", sprintf("%600d", [1]))`:  "more than 1048576 bytes of JSON, the limit",
		`json.unmarshal("` + strings.Repeat("[", 70) + strings.Repeat("]",
			70) + `")`: "nested deeper than 64, the limit",
		`1e9000 * 1e9000`: "over 10000",
	} {
		p := policy(t, patient, fmt.Sprintf(`default decision := false

decision := {"allow": true, "context": {"x": %s}} if input.context.large`, rule)+"\n")
		fails(t, p, question(`{"large": true}`), want)
		if a, _ := evaluated(t.Context(), p, question(`{"large": true}`)); !a.Result.Empty() {
			t.Errorf("%s: the result is kept", rule)
		}
	}
}

func TestAResultUpToTheLimitIsAnswered(t *testing.T) {
	p := policy(t, patient, `decision := {"allow": true, "context": {"x": [x | some x in numbers.range(1, 100000)]}}`+
		"\n")
	if a := answered(t, p, question(`{}`)); len(resultJSON(t, a)) < 500_000 {
		t.Error("the result is not whole")
	}
}
