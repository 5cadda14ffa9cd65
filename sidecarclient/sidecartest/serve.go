package sidecartest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/authz-sidecar/sidecar/sidecarclient"
)

// maxBody is the sidecar's default of limits.body_bytes.
const maxBody = 1 << 20

// serve answers POST /v1/decisions, /v1/decisions/batch and /v1/decisions/ENTRYPOINT.
func (s *Sidecar) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		s.refuse(w, &callFault{http.StatusRequestEntityTooLarge, "body_too_large", "", err.Error()})
		return
	}
	if f := checkCall(r); f != nil {
		s.refuse(w, f)
		return
	}
	if strings.HasSuffix(r.URL.Path, "/batch") {
		s.batch(w, r, body)
		return
	}
	asked, fault := readQuestion(body)
	if fault != nil {
		s.refuse(w, fault)
		return
	}
	d, failure := s.decide(asked)
	s.reply(w, r, d, failure)
}

func (s *Sidecar) batch(w http.ResponseWriter, r *http.Request, body []byte) {
	asked, fault := readBatch(body)
	if fault != nil {
		s.refuse(w, fault)
		return
	}
	var answer struct {
		Items []sidecarclient.Decision `json:"items"`
	}
	var failure Fault
	for _, one := range asked {
		d, f := s.decide(one)
		if f != "" {
			failure = f
		}
		answer.Items = append(answer.Items, d)
	}
	s.reply(w, r, answer, failure)
}

// reply writes an answer, or fails.
func (s *Sidecar) reply(w http.ResponseWriter, r *http.Request, answer any, failure Fault) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	body, err := json.Marshal(answer)
	if err != nil {
		s.fault(fmt.Errorf("a rule's decision is no JSON: %w", err))
		failure = Fails
	}
	switch failure {
	case Hangs:
		select {
		case <-r.Context().Done():
		case <-s.hung:
		}
		panic(http.ErrAbortHandler)
	case Breaks:
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case Fails:
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `{"error":{"code":"internal_error","message":"the test made it fail","pointer":""}}`)
	default:
		_, _ = w.Write(body) // a caller that left needs no answer
	}
}

// refuse answers a call that is wrong, and remembers that it is.
func (s *Sidecar) refuse(w http.ResponseWriter, f *callFault) {
	s.fault(f)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	_ = json.NewEncoder(w).Encode(map[string]any{ // a caller that left needs no answer
		"error": map[string]string{"code": f.code, "message": f.message, "pointer": f.pointer},
	})
}

func (s *Sidecar) fault(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, err)
}
