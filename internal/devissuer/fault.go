package devissuer

import (
	"net/http"
	"time"

	"github.com/authz-sidecar/sidecar/internal/fetch"
)

// Fault is an injected fault: how a request goes wrong. It exists for tests; a server without one works.
type Fault struct {
	// Delay comes before anything else.
	Delay time.Duration
	// Then is what follows; the zero value serves the request as usual.
	Then Action
	// Status, ContentType, Header and Body are the answer of Answer. Status 0 is 200, an empty ContentType is
	// application/json, and Header may set anything else: Location, Content-Encoding, a Content-Length that lies.
	Status      int
	ContentType string
	Header      http.Header
	Body        []byte
}

// Action is what a Fault does to a request.
type Action uint8

// The actions.
const (
	// Pass serves the request as usual.
	Pass Action = iota
	// Answer sends the answer of the fault and nothing else.
	Answer
	// Hang answers nothing until the client leaves or the server stops.
	Hang
	// Close closes the connection without an answer.
	Close
)

// SetFault sets the function that returns the fault of each request; nil is no fault. A nil f ends all faults. f is
// called concurrently, must not block, and may read the body and change nothing. For tests only.
func (s *Server) SetFault(f func(*http.Request) *Fault) {
	if f == nil {
		s.fault.Store(nil)
		return
	}
	s.fault.Store(&f)
}

func (s *Server) faultFor(r *http.Request) *Fault {
	if f := s.fault.Load(); f != nil {
		return (*f)(r)
	}
	return nil
}

// inject applies the fault, and reports whether the request is done with.
func (f *Fault) inject(w http.ResponseWriter, r *http.Request) bool {
	if !fetch.Sleep(r.Context(), f.Delay) {
		panic(http.ErrAbortHandler) // else net/http would send an empty 200
	}
	switch f.Then {
	case Answer:
		f.answer(w)
	case Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case Close:
		panic(http.ErrAbortHandler)
	case Pass:
		return false
	}
	return true
}

func (f *Fault) answer(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	for name, values := range f.Header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	if f.ContentType != "" {
		header.Set("Content-Type", f.ContentType)
	}
	status := f.Status
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	_, _ = w.Write(f.Body) // a client that left needs no answer
}
