package suggest

import "testing"

func TestOneSwapOfNeighboursIsOneChange(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "abc", 3}, {"abc", "", 3}, {"same", "same", 0}, {"adress", "address", 1}, {"listne", "listen",
		1}, {"kitten", "sitting", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance of %q and %q is %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestTheClosestOfShortNamesIsNearlyTheSame(t *testing.T) {
	for word, want := range map[string]string{"b": "", "A": "a", "oen": "one", "frozn": "frozen", "zz": ""} {
		if got := Closest(word, []string{"a", "one", "frozen"}); got != want {
			t.Errorf("%q is %q, want %q", word, got, want)
		}
	}
}
