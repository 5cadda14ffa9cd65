package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/conf"
)

const exampleFile = "../../sidecar.example.yaml"

// uncommented switches on every key that the example shows behind "#" without a blank.
func uncommented(example string) string {
	return regexp.MustCompile(`(?m)^( *)#(\S)`).ReplaceAllString(example, "$1$2")
}

func TestExampleLoadsWhereItsSecretAndPoliciesAre(t *testing.T) {
	file, err := filepath.Abs(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	inDirectory(t)
	c, err := Load(file, []string{"SIDECAR_ISSUERS_0_CLIENT_SECRET_FILE=client-secret"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Issuers[0].Endpoint.Client.ID != "orders-api" || !c.DecisionLog.Stdout || c.Telemetry.Log.Format != "json" {
		t.Errorf("configuration is %+v", c)
	}
}

func TestExampleLacksOnlyItsSecretElsewhere(t *testing.T) {
	src, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	inDirectory(t)
	got := faults(t, string(src), "SIDECAR_ISSUERS_0_CLIENT_SECRET_FILE=none")
	wantFaults(t, got, "environment SIDECAR_ISSUERS_0_CLIENT_SECRET_FILE: read secret: no such file")
}

func TestExampleNamesEveryKey(t *testing.T) {
	src, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	r := newReader("sidecar.example.yaml")
	if _, ok := r.decode([]byte(uncommented(string(src))), nil); !ok || len(r.faults) > 0 {
		t.Fatal(r.faults)
	}
	eachKey(reflect.TypeFor[Config](), "", func(path string, _ conf.Field, _ reflect.Type) {
		if _, ok := r.at[strings.ReplaceAll(path, "[]", "[0]")]; !ok {
			t.Errorf("%s is not in the example", path)
		}
	})
}

func TestExampleShowsTheDefaultsOfWhatIsCommentedOut(t *testing.T) {
	src, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	as := func(text string) *Config {
		r := newReader("sidecar.example.yaml")
		c, ok := r.decode([]byte(text), nil)
		if !ok || len(r.faults) > 0 {
			t.Fatal(r.faults)
		}
		return c
	}
	is, shown := reflect.ValueOf(as(string(src))).Elem(), reflect.ValueOf(as(uncommented(string(src)))).Elem()
	sameWhereSet(t, is, shown, "")
}

// sameWhereSet compares the parts of two configurations that are not empty in the first: those have a value to show.
func sameWhereSet(t *testing.T, is, shown reflect.Value, path string) {
	for _, f := range conf.Fields(is.Type()) {
		a, b, at := is.FieldByIndex(f.Index), shown.FieldByIndex(f.Index), conf.Join(path, f.Name)
		switch {
		case a.Kind() == reflect.Struct:
			sameWhereSet(t, a, b, at)
		case a.Kind() == reflect.Slice && !conf.IsStrings(a.Type()) && a.Len() == 0: // the example of an item
		case a.Kind() == reflect.Slice && !conf.IsStrings(a.Type()):
			if a.Len() == 0 { // all of it is commented out: an item has defaults all the same
				one := reflect.New(a.Type().Elem()).Elem()
				conf.SetDefaults(one)
				a = reflect.Append(a, one)
			}
			sameWhereSet(t, a.Index(0), b.Index(0), conf.Item(at, 0))
		case !a.IsZero() && !reflect.DeepEqual(a.Interface(), b.Interface()):
			t.Errorf("%s: the example shows %v, and the default is %v", at, b, a)
		}
	}
}
