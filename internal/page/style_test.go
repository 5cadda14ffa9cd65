package page_test

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestColoursContrast computes the contrast of each text with what is behind it (WCAG 2.2, success criterion 1.4.3:
// 4.5).
func TestColoursContrast(t *testing.T) {
	css, err := os.ReadFile("page.css")
	if err != nil {
		t.Fatal(err)
	}
	light, rest, ok := strings.Cut(string(css), "@media screen and (prefers-color-scheme: dark)")
	dark, _, ended := strings.Cut(rest, "\n}\n")
	if !ok || !ended {
		t.Fatal("the style sheet has no dark colours")
	}
	for name, part := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(part, -1) {
			colours[m[1]] = m[2]
		}
		for text, behind := range map[string][]string{
			"ink":   {"paper", "panel", "bad-back", "good-back", "bad-mark", "good-mark"},
			"faint": {"paper", "panel"}, "link": {"paper", "panel"}, "neutral": {"neutral-back", "panel"},
			"bad": {"paper", "bad-back"}, "warn": {"paper", "panel", "warn-back"}, "good": {"paper", "good-back"},
			"info": {"info-back"},
		} {
			for _, b := range behind {
				if got := contrast(t, colours[text], colours[b]); got < 4.5 {
					t.Errorf("%s: %s on %s has a contrast of %.2f", name, text, b, got)
				}
			}
		}
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	var rgb [3]int
	if _, err := fmt.Sscanf(colour, "#%02x%02x%02x", &rgb[0], &rgb[1], &rgb[2]); err != nil {
		t.Fatalf("colour %q: %v", colour, err)
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		c := float64(rgb[i]) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

// TestColoursAreNamed keeps colours out of the rules, where the test above would not see them.
func TestColoursAreNamed(t *testing.T) {
	css, err := os.ReadFile("page.css")
	if err != nil {
		t.Fatal(err)
	}
	for n, line := range strings.Split(string(css), "\n") {
		named := regexp.MustCompile(`--[a-z-]+: #[0-9a-f]{6};`).ReplaceAllString(line, "")
		if found := regexp.MustCompile(`#[0-9a-fA-F]{3,8}\b|rgba?\(|opacity`).FindString(named); found != "" {
			t.Errorf("page.css:%d: %s", n+1, found)
		}
	}
}
