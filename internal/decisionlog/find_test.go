package decisionlog

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// named is a record of the decision of this id.
func named(id, path string) *Record {
	return &Record{DecisionID: id, Path: path, Time: time.Unix(1, 0)}
}

func searched(t *testing.T, id string, logs ...[]byte) *Search {
	t.Helper()
	s := &Search{ID: id}
	for _, log := range logs {
		if err := s.In("log", bytes.NewReader(log)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestADecisionIsFoundByItsIDOrTheBeginningOfIt(t *testing.T) {
	old := written(t, named("01A1", "a"), named("01A2", "b"), named("01B1", "01B1 in another member"))
	rotated := written(t, named("01C1", "01A2"), named("01A2", "b"))
	for id, want := range map[string]string{"01A2": "01A2", "01B": "01B1", "01C1": "01C1", "01B1": "01B1"} {
		if s := searched(t, id, old, rotated); s.Event == nil || s.Event.DecisionID != want || len(s.Others) > 0 {
			t.Errorf("%s: got %+v", id, s)
		}
	}
	if s := searched(t, "01A", old, rotated); s.Event.DecisionID != "01A1" || s.Done() ||
		!slices.Equal(s.Others, []string{"01A2"}) {
		t.Errorf("got %+v", s)
	}
	if s := searched(t, "01D", old, rotated); s.Event != nil || s.Lines != 5 {
		t.Errorf("got %+v", s)
	}
}

func TestAnIDThatIsTheBeginningOfAnotherIsFoundByItself(t *testing.T) {
	s := searched(t, "01A", written(t, named("01AB", ""), named("01AC", ""), named("01A", ""), named("01AD", "")))
	if !s.Done() || len(s.Others) > 0 {
		t.Errorf("got %+v", s)
	}
}

func TestALineThatHoldsTheIDAndIsNoEventIsReported(t *testing.T) {
	half := written(t, named("01A1", ""))
	s := searched(t, "01A1", append([]byte("msg=serving\n"), half[:len(half)-20]...))
	if s.Event != nil || s.Unreadable == nil || !strings.Contains(s.Unreadable.Error(), "log: line 2: ") {
		t.Errorf("got %+v", s)
	}
}

func TestAMatchOfThousandsNamesTen(t *testing.T) {
	var all []*Record
	for range 50 {
		for _, id := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d"} {
			all = append(all, named("01"+id, ""))
		}
	}
	if s := searched(t, "01", written(t, all...)); len(s.Others) != 10 {
		t.Errorf("got %v", s.Others)
	}
}

func TestTheLastDecisionIsTheLatestOfAllLogs(t *testing.T) {
	at := func(id string, second int64) *Record {
		return &Record{DecisionID: id, Time: time.Unix(second, 0), Cause: errors.New("x")}
	}
	newer := append(written(t, at("01A", 7), at("01B", 8)),
		"{\"level\":\"ERROR\",\"decision_id\":\"01C\"}\n{\"decision_id\":\"01D\",\"timestamp\":\"20"...)
	older := written(t, at("01E", 5))
	s := &Search{ID: "last", Last: true}
	for _, log := range [][]byte{newer, older, nil} {
		if err := s.In("log", bytes.NewReader(log)); err != nil {
			t.Fatal(err)
		}
	}
	if s.Event == nil || s.Event.DecisionID != "01B" || s.Done() {
		t.Errorf("got %+v", s.Event)
	}
}
