package decisionlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Search looks for the event of one decision, in one log after another.
type Search struct {
	// ID is the id of the decision, or the beginning of it.
	ID string
	// Last looks for the last decision in the logs instead, by its time.
	Last bool

	// Event is the first that was found, in the log of the name Log.
	Event *Event
	Log   string
	// Others are the ids of other decisions that begin with ID: ten at most.
	Others []string
	// Unreadable is the first line that holds ID and is no event.
	Unreadable error
	// Lines is how many were looked at.
	Lines int
}

// Done reports whether the decision was found whose id is exactly ID: then there is nothing more to read.
func (s *Search) Done() bool { return !s.Last && s.Event != nil && s.Event.DecisionID == s.ID }

// In reads a log. The error is that of the reading: what was found before stays found.
func (s *Search) In(log string, in io.Reader) error {
	r := NewReader(in)
	defer func() { s.Lines += r.line - 1 }()
	if s.Last {
		return s.lastIn(log, r)
	}
	r.Containing(s.ID)
	for !s.Done() {
		e, err := r.Next()
		if line, ok := errors.AsType[*LineError](err); ok {
			if s.Unreadable == nil {
				s.Unreadable = fmt.Errorf("%s: %w", log, line)
			}
			continue
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", log, err)
		}
		if strings.HasPrefix(e.DecisionID, s.ID) {
			s.found(log, e)
		}
	}
	return nil
}

// lastIn looks for the last event of a log. Events of one log are in the order of their time, or nearly.
func (s *Search) lastIn(log string, r *Reader) error {
	var last []byte
	for {
		line, err := r.readLine()
		switch {
		case errors.Is(err, io.EOF):
			if e, err := ParseEvent(last); err == nil && (s.Event == nil || e.Time.After(s.Event.Time)) {
				s.Event, s.Log = e, log
			}
			return nil
		case err != nil:
			if _, ok := errors.AsType[*LineError](err); ok {
				continue
			}
			return fmt.Errorf("read %s: %w", log, err)
		case bytes.HasPrefix(line, []byte("{")) && bytes.HasSuffix(line, []byte("}")) &&
			bytes.Contains(line, []byte(`"decision_id"`)) && bytes.Contains(line, []byte(`"timestamp"`)):
			last = append(last[:0], line...)
		}
	}
}

func (s *Search) found(log string, e *Event) {
	const most = 10
	switch {
	case s.Event == nil:
		s.Event, s.Log = e, log
	case s.Event.DecisionID == e.DecisionID: // once more, in a copy of the log
	case e.DecisionID == s.ID:
		s.Event, s.Log, s.Others = e, log, nil
	case len(s.Others) < most && !slices.Contains(s.Others, e.DecisionID):
		s.Others = append(s.Others, e.DecisionID)
	}
}
