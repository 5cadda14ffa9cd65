package typeaddr_test

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/typeaddr"
)

type inner struct {
	Text string
	List []string
}

type every struct {
	Int     int
	Int64   int64
	Bool    bool
	Text    string
	List    []string
	Bytes   []byte
	Map     map[string][]string
	Pointer *int
	Struct  inner
	Float   float64
	Array   [2]int
}

// TestZeroIsWhatReflectionSays sets one of the fields in two to a value, a nested one among them.
func TestZeroIsWhatReflectionSays(t *testing.T) {
	n := 0
	set := every{1, 1, true, "a", []string{}, []byte{}, map[string][]string{}, &n, inner{}, 0.5, [2]int{0, 1}}
	nested := []inner{{Text: "a"}, {List: []string{}}}
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var v every
		set.Struct = nested[r.IntN(len(nested))]
		of := reflect.ValueOf(&v).Elem()
		for i := range of.NumField() {
			f := of.Field(i)
			if r.IntN(2) == 0 {
				f.Set(reflect.ValueOf(set).Field(i))
			}
			if got := typeaddr.IsZero(f.Type())(f.Addr().UnsafePointer()); got != f.IsZero() {
				t.Fatalf("%s %v: %t", of.Type().Field(i).Name, f, got)
			}
		}
		if got := typeaddr.IsZero(of.Type())(of.Addr().UnsafePointer()); got != of.IsZero() {
			t.Fatalf("%+v: %t", v, got)
		}
	}
}
