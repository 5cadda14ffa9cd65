package sidecarclient

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/authz-sidecar/sidecar/sidecarclient/internal/strictjson"
)

// CallError says that the call itself was wrong, so that the sidecar decided nothing: an error of this program or of
// its configuration, which no second attempt changes. It is for operators and not for clients.
type CallError struct {
	// Status is that of HTTP, 400 to 499; 0 when the question could not even be written.
	Status int
	// Code, Message and Pointer are what the sidecar says is wrong, and the JSON pointer of the member: see
	// docs/api.md. They are empty when the answer was not the sidecar's.
	Code, Message, Pointer string
}

// Error returns what was wrong, and where.
func (e *CallError) Error() string {
	text := "ask the sidecar: the call is wrong"
	if e.Status != 0 {
		text += fmt.Sprintf(": status %d", e.Status)
	}
	for _, part := range []string{e.Code, e.Pointer, e.Message} {
		if part != "" {
			text += ": " + part
		}
	}
	return text
}

// UnavailableError says that there is no decision, for now: the sidecar was not reached, was late, failed, or its
// answer was no decision.
type UnavailableError struct {
	// RetryAfter is that header of the sidecar's answer, or empty.
	RetryAfter string
	// Cause is why; context.DeadlineExceeded and context.Canceled can be found in it.
	Cause error
}

// Error returns the cause.
func (e *UnavailableError) Error() string { return e.Cause.Error() }

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Cause }

func unavailable(what string, cause error) *UnavailableError {
	return &UnavailableError{Cause: fmt.Errorf("%s: %w", what, cause)}
}

func badQuestion(cause error) *CallError { return &CallError{Message: cause.Error()} }

// refusedCall is the error of an answer that is not 200.
func refusedCall(resp *http.Response, body []byte) error {
	code, message, pointer := callError(body)
	if s := resp.StatusCode; s < 400 || s > 499 || s == http.StatusTooManyRequests {
		e := unavailable("ask the sidecar", fmt.Errorf("status %d %s", s, code))
		e.RetryAfter = resp.Header.Get("Retry-After")
		return e
	}
	return &CallError{Status: resp.StatusCode, Code: code, Message: message, Pointer: pointer}
}

// callError reads {"error": {"code", "message", "pointer"}}; what is none is empty.
func callError(body []byte) (code, message, pointer string) {
	var e struct {
		Error struct{ Code, Message, Pointer string }
	}
	if strictjson.Check(body) != nil || json.Unmarshal(body, &e) != nil {
		return "", "", ""
	}
	return e.Error.Code, e.Error.Message, e.Error.Pointer
}
