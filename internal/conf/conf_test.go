package conf

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

type outer struct {
	Shared   shared            `yaml:",inline"`
	Word     word              `yaml:"word" default:"one" enum:"one|two"`
	Count    int               `yaml:"count" default:"3" min:"1" max:"9"`
	Size     int64             `yaml:"size"`
	Rate     float64           `yaml:"rate" default:"0.5" max:"1"`
	Wait     time.Duration     `yaml:"wait" default:"2m" min:"10ms" max:"1h"`
	Both     []string          `yaml:"words" default:"two,one" enum:"one|two"`
	Types    []string          `yaml:"types" items:"blank"`
	Labels   map[string]string `yaml:"labels"`
	On       bool              `yaml:"on"`
	Inner    inner             `yaml:"inner" default:"least=2"`
	List     []inner           `yaml:"list"`
	Key      secret.Source     `yaml:"key"`
	Internal *int              `yaml:"-"`
	Alg      string            `yaml:"alg"`
}

func (outer) Words(key string) []string {
	if key == "alg" {
		return []string{"RS256", "ES256"}
	}
	return nil
}

type word string

type shared struct {
	Name string `yaml:"name" default:"shared"`
}

// Check is not called: what checks an inlined struct is the Check of the struct around it.
func (shared) Check(fault func(key, cause, hint string)) { fault("name", "was checked", "") }

type inner struct {
	Least int `yaml:"least" default:"1" min:"1"`
	Most  int `yaml:"most" default:"4"`
}

func (c inner) Check(fault func(key, cause, hint string)) {
	if c.Least > c.Most {
		fault("least", "is over most", "")
	}
	if c.Most == 7 {
		fault("", "has a most of 7", "")
	}
}

func faultsOf(change func(*outer)) []string {
	cfg := Default[outer]()
	change(&cfg)
	var all []string
	Check(cfg, func(key, cause, _ string) { all = append(all, key+": "+cause) })
	return all
}

func TestDefaultsAreAllowed(t *testing.T) {
	if got := faultsOf(func(*outer) {}); len(got) > 0 {
		t.Errorf("faults: %q", got)
	}
	want := outer{
		Shared: shared{"shared"}, Word: "one", Count: 3, Rate: 0.5, Wait: 2 * time.Minute,
		Both: []string{"two", "one"}, Inner: inner{2, 4},
	}
	if got := Default[outer](); !reflect.DeepEqual(got, want) {
		t.Errorf("defaults are %+v, want %+v", got, want)
	}
}

func TestEachRuleOfATagIsChecked(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*outer)
		want   string
	}{
		"an unknown word":  {func(c *outer) { c.Word = "three" }, `word: "three" is not one of one, two`},
		"a misspelt word":  {func(c *outer) { c.Word = "onee" }, `word: "onee" is not one of one, two`},
		"an empty word":    {func(c *outer) { c.Word = "" }, ""},
		"too few":          {func(c *outer) { c.Count = 0 }, "count: 0 is below 1, the least allowed"},
		"too many":         {func(c *outer) { c.Count = 10 }, "count: 10 is above 9, the most allowed"},
		"a negative size":  {func(c *outer) { c.Size = -1 }, "size: -1 is below 0, the least allowed"},
		"too great a rate": {func(c *outer) { c.Rate = 1.5 }, "rate: 1.5 is above 1, the most allowed"},
		"a negative rate":  {func(c *outer) { c.Rate = -0.1 }, "rate: -0.1 is below 0, the least allowed"},
		"a rate of NaN":    {func(c *outer) { c.Rate = math.NaN() }, "rate: is not a number"},
		"too short a time": {func(c *outer) { c.Wait = 1 }, "wait: 1ns is below 10ms, the least allowed"},
		"too long a time": {func(c *outer) { c.Wait = 61 * time.Minute },
			"wait: 1h1m is above 1h, the most allowed"},
		"an unknown item": {func(c *outer) { c.Both[1] = "six" }, `words[1]: "six" is not one of one, two`},
		"an empty item":   {func(c *outer) { c.Both[0] = "" }, "words[0]: holds an empty item"},
		"a blank item":    {func(c *outer) { c.Types = []string{""} }, ""},
		"a line break": {func(c *outer) { c.Shared.Name = "a\nb" },
			"name: holds a control character, such as a line break"},
		"invalid UTF-8": {func(c *outer) { c.Shared.Name = "\xff" }, "name: is not valid UTF-8"},
		"a secret kept twice": {func(c *outer) { c.Key.File, c.Key.Env = "f", "E" },
			"key: names both a file and an environment variable"},
		"a rule of two keys": {func(c *outer) { c.Inner.Most = 1 }, "inner.least: is over most"},
		"a rule of an item":  {func(c *outer) { c.List = []inner{{1, 1}, {1, 7}} }, "list[1]: has a most of 7"},
		"a bound in an item": {func(c *outer) { c.List = []inner{{}} },
			"list[0].least: 0 is below 1, the least allowed"},
		"a word from Go":    {func(c *outer) { c.Alg = "none" }, `alg: "none" is not one of RS256, ES256`},
		"an internal field": {func(c *outer) { c.Internal = new(int) }, ""},
		"any table":         {func(c *outer) { c.Labels = map[string]string{"": ""} }, ""},
	} {
		if got := strings.Join(faultsOf(c.change), "\n"); got != c.want {
			t.Errorf("%s: got  %s\nwant %s", name, got, c.want)
		}
	}
}

func TestAFaultHasAHint(t *testing.T) {
	for hint, change := range map[string]func(*outer){
		`did you mean "one"?`:           func(c *outer) { c.Word = "onee" },
		"write one of these words":      func(c *outer) { c.Word = "three" },
		"write a value from 10ms to 1h": func(c *outer) { c.Wait = 1 },
		"write 0 or more":               func(c *outer) { c.Size = -1 },
	} {
		cfg := Default[outer]()
		change(&cfg)
		Check(cfg, func(key, _, got string) {
			if got != hint {
				t.Errorf("%s: hint is %q, want %q", key, got, hint)
			}
		})
	}
}

func TestValidateNamesEveryFault(t *testing.T) {
	cfg := Default[inner]()
	if err := Validate(cfg); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
	cfg.Least, cfg.Most = 0, 7
	if err := Validate(cfg); err == nil || err.Error() != "least: 0 is below 1, the least allowed\nhas a most of 7" {
		t.Errorf("error is %v", err)
	}
}

func TestADefaultThatBreaksItsOwnBoundsPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it was accepted")
		}
	}()
	Default[struct {
		N int `yaml:"n" default:"5" max:"4"`
	}]()
}

func TestKeysOfAnInlinedStructStandInItsPlace(t *testing.T) {
	got := Names(reflect.TypeFor[outer]())
	if !slices.Equal(got[:2], []string{"name", "word"}) || slices.Contains(got, "-") {
		t.Errorf("keys are %q", got)
	}
}

func TestTextThatIsRefusedLeavesTheValueAlone(t *testing.T) {
	cfg := Default[outer]()
	v := reflect.ValueOf(&cfg).Elem()
	for name, text := range map[string]string{
		"word": "owt", "count": "10", "size": "1.5", "rate": "half", "wait": "5", "on": "yes", "inner": "x",
		"name": "a\nb",
	} {
		f, _ := FieldNamed(v.Type(), name)
		if p := SetText(v.FieldByIndex(f.Index), f, text); p == nil || p.Cause == "" || p.Hint == "" {
			t.Errorf("%s: %s: refusal is %+v", name, text, p)
		}
	}
	if !reflect.DeepEqual(cfg, Default[outer]()) {
		t.Errorf("configuration is %+v", cfg)
	}
}
