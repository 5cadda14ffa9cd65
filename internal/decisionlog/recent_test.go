package decisionlog

import (
	"fmt"
	"testing"
	"time"
)

// sizedInput is a document of a size.
type sizedInput int

func (s sizedInput) AppendJSON(dst []byte) ([]byte, error) { return append(dst, "{}"...), nil }
func (s sizedInput) Size() int                             { return int(s) }

func TestRecentKeepsTheLatestDecisionsInBoundedMemory(t *testing.T) {
	k := NewRecent(3, 10*recordBytes)
	add := func(id, size int) {
		k.add(&Record{DecisionID: fmt.Sprint(id), Input: sizedInput(size), Eval: time.Second, Masker: nil})
	}
	ids := func() (out string) {
		for _, r := range k.Records() {
			out += r.DecisionID
		}
		return out
	}
	for i := range 5 {
		add(i, 0)
	}
	if got := ids(); got != "234" || k.Total() != 5 {
		t.Errorf("kept %s of %d", got, k.Total())
	}
	if add(5, 8*recordBytes); ids() != "5" && ids() != "45" {
		t.Errorf("kept %s", ids())
	}
	if add(6, 20*recordBytes); ids() != "6" {
		t.Errorf("kept %s", ids())
	}
	k.add(&Record{DecisionID: "7", Eval: time.Second})
	k.add(&Record{DecisionID: "8", Input: sizedInput(0)})
	k.add(&Record{DecisionID: "9", Input: sizedInput(0), Eval: time.Second, Type: TypeFilter})
	if ids() != "6" {
		t.Errorf("what no policy decided is kept: %s", ids())
	}
	var none *Recent
	if none.add(&Record{}); none.Records() != nil || none.Total() != 0 {
		t.Error("nil keeps something")
	}
}
